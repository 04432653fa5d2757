//! Observability: log, access log, audit log, metrics.

pub mod access_log;
pub mod account_metrics;
pub mod audit;
pub mod log_throttle;
mod log_writer;
pub mod metrics;
pub mod store_state;
