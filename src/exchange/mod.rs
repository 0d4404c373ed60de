//! Floor 5: a request's life.

pub mod body;
