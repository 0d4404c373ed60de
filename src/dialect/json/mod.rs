//! JSON as bytes: checked in one pass, then read where it lies. No tree is built.

pub mod outline;
pub mod read;
mod string;
pub mod syntax;
pub mod value;
