//! The one integration-test binary: linked once, one module for each subject.

mod admin;
mod dashboards;
mod faults;
mod floors;
mod observe;
mod recorded;
mod support;
mod tidy;
mod failover;
