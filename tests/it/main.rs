//! The integration tests, one binary: the whole proxy on real sockets, before a portal that records each request.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod access;
mod accounts;
mod attacks;
mod command_line;
mod governance;
mod guard;
mod management;
mod operation;
mod pages;
mod proxying;
mod repository;
mod server;
mod store;
mod support;
mod tenants;
