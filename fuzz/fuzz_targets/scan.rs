//! A request body of any bytes: the scan never panics, takes nothing that is not JSON, and what is spliced stays what it was.

#![no_main]

#[path = "../bodies/scan.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|body: &[u8]| body::run(body));
