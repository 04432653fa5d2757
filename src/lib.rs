//! Doorward: an authentication sidecar for developer portals.
//!
//! The modules below stand in the order of dependency: each may use those above it, none below.
//! `domain` depends on no other module and does no I/O; `proxy` and `web` do not know each other; only `boot`
//! names concrete parts and wires them. `tests/it/architecture.rs` holds this.

pub mod domain;

pub mod clock;
pub mod config;
pub mod crypto;
pub mod sync;
pub mod telemetry;

pub mod store;
pub mod tenants;
pub mod token;
pub mod web_context;

pub mod session;

pub mod account;
pub mod governance;

pub mod proxy;
pub mod web;

pub mod server;

pub mod demo;

pub mod admin;
pub mod boot;
pub mod cli;

/// Fuzz targets; no release has them.
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz;
