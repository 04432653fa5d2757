//! The running proxy as operators meet it: logs, probes, metrics, load, and faults of the store.

mod access_log;
mod accounts_under_load;
mod audit_log;
mod private_port;
mod store_faults;
mod store_outage;
mod syslog;
