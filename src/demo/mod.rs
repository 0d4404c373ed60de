//! Simulated vendors on loopback, and the demonstration that runs the proxy in front of them.

pub mod certificates;
pub mod vendor;
