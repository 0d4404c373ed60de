//! Backstay: a TLS proxy that keeps a company's LLM traffic flowing when a vendor fails, throttles, is restricted by law
//! or becomes too expensive.
//!
//! The modules stand on floors, and each imports only from floors below its own; `ARCHITECTURE.md` draws them.

pub mod base;

pub mod call;

pub mod audit;
pub mod catalog;
pub mod config;
pub mod dialect;
pub mod policy;
pub mod price;

pub mod import;
pub mod snapshot;

pub mod state;
pub mod upstream;

pub mod exchange;
pub mod observe;
pub mod probe;

pub mod admin;
pub mod server;

pub mod app;
pub mod cli;
pub mod demo;
pub mod reload;
