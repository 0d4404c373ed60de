//! The one integration-test binary: linked once, one module for each subject.

mod admin;
mod corpus;
mod dashboards;
mod faults;
mod floors;
mod observe;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;
mod tidy;
mod failover;
