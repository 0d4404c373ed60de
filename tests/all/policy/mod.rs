//! Policy holds on every path: what it excludes is not even connected to, what runs is recalled where it says so, and the
//! tools tell why.

mod contacts;
mod gate;
mod running;
mod thousand;
mod tools;
