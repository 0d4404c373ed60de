//! A vendor's stream of any bytes, cut anywhere: nothing panics, and where it is cut changes nothing.

#![no_main]

#[path = "../bodies/stream.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, u8)| body::run(input));
