//! The one integration-test binary: linked once, one module for each subject.

mod admin;
mod dashboards;
mod demo;
mod faults;
mod floors;
mod observe;
mod support;
mod tidy;
mod failover;
