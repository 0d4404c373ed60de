//! Floor 0: the words that every other floor speaks.
//!
//! Nothing here reads a clock, a file, a socket or the environment.

pub mod clock;
pub mod consequence;
pub mod decimal;
pub mod diagnostic;
pub mod event;
pub mod failure;
pub mod hash;
pub mod model_name;
pub mod money;
pub mod random;
pub mod rejection;
pub mod restriction;
pub mod scope;
pub mod secret;
pub mod surge;
pub mod tokens;
pub mod vendor_error;
