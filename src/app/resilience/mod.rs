//! What clients see while vendors fail: the whole proxy but its sockets, on a paused clock.

mod herd;
mod incidents;
mod lab;
mod paper;
mod plot;
mod stories;
mod vendors;
