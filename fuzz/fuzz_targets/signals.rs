//! A vendor's error answer of any bytes and status: it becomes a failure, never a panic.

#![no_main]

#[path = "../bodies/signals.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: (u16, Vec<u8>)| body::run(input));
