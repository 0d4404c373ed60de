//! AWS frames of any bytes, cut anywhere: nothing panics, where it is cut changes nothing, and what is read is what the
//! bytes say.

#![no_main]

#[path = "../bodies/eventstream.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, u8)| body::run(input));
