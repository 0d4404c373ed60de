//! Any bytes as a request, an answer and a stream, in every dialect: nothing panics, and what was read can be written and
//! read again.

#![no_main]

#[path = "../bodies/translate.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
