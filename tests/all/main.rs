//! The one integration-test binary: linked once, one module for each subject.

// said of the whole binary, so that clippy takes helpers for the tests that they are
#![cfg(test)]

mod admin;
mod corpus;
mod dashboards;
mod demo;
mod failover;
mod faults;
mod floors;
mod observe;
mod papers;
mod recorded;
mod sdk;
mod secrets;
mod server;
mod streams;
mod support;
mod tidy;
