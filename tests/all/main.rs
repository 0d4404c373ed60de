//! The one integration-test binary: linked once, one module for each subject.

// said of the whole binary, so that clippy takes helpers for the tests that they are
#![cfg(test)]

mod admin;
mod alerts;
mod carried;
mod clouds;
mod codex;
mod corpus;
mod dashboards;
mod decisions;
mod demo;
mod departures;
mod edges;
mod failover;
mod family;
mod faults;
mod feeds;
mod floors;
mod hedging;
mod imports;
mod keeping;
mod ledger;
mod limits;
mod matrix;
mod observe;
mod pairs;
mod papers;
mod policy;
mod prices;
mod process;
mod quotas;
mod recorded;
mod refusals;
mod reloads;
mod restrictions;
mod scenarios;
mod sdk;
mod secrets;
mod server;
mod signals;
mod storm;
mod streams;
mod support;
mod thoughts;
mod tidy;
mod vectors;
mod vendor_paths;
