//! The management API.

mod access;
mod attacks;
mod contract;
mod governance;
mod guessing;
mod listener;
mod openapi;
mod replicas;
mod tenant_config;
