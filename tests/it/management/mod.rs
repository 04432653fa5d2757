//! The management API.

mod access;
mod attacks;
mod listener;
mod tenant_config;
