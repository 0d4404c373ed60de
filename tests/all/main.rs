//! The one integration-test binary: linked once, one module for each subject.

// said of the whole binary, so that clippy takes helpers for the tests that they are
#![cfg(test)]

mod admin;
mod corpus;
mod dashboards;
mod demo;
mod faults;
mod floors;
mod observe;
#[cfg(test)]
mod server;
#[cfg(test)]
mod papers;
mod recorded;
mod secrets;
mod support;
mod tidy;
mod failover;
