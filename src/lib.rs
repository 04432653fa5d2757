//! Doorward: an authentication sidecar for developer portals.
//!
//! The modules below stand in the order of dependency: each may use those above it, none below.
//! `domain` depends on no other module and does no I/O; `proxy` and `web` do not know each other; only `boot`
//! names concrete parts and wires them. `tests/it/repository/architecture.rs` holds this.
//!
//! The public interface is [`cli`]. Tests and benchmarks reach the rest through `internals`.

mod domain;

mod clock;
mod config;
mod crypto;
mod http;
mod sync;
mod telemetry;

mod store;
mod tenants;
mod token;
mod web_context;

mod session;

mod account;
mod governance;

mod proxy;
mod web;

mod server;

mod demo;

mod admin;
mod boot;
pub mod cli;

#[doc(hidden)]
pub mod internals;

/// Fuzz targets; no release has them.
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz;
