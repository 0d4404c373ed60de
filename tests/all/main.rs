//! Integration tests: real sockets on loopback, shortened limits, one binary.

mod support;

mod server;
