//! What can be seen: the log of what happens to us, the access log, the metrics.

pub mod access_log;
pub mod accounts;
pub mod audit;
mod log_writer;
pub mod metrics;
pub mod seldom;
pub mod store_state;
