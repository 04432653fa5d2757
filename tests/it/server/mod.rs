//! Listeners and connections: TLS, PROXY protocol, faults, draining.

mod connection_faults;
mod draining;
mod edge;
mod proxy_protocol;
