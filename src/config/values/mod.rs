//! The value types of the configuration and their text forms.

pub mod address;
pub mod appearance;
pub mod audit_log;
pub mod cross_tenant;
pub mod duration;
pub mod hsts;
pub mod identity_header;
pub mod name;
pub mod password;
pub mod route;
pub mod store;
pub mod upgrade;
pub mod web;
