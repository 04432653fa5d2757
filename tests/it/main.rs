//! The integration tests, one binary: the whole proxy on real sockets, before a portal that records each request.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod access_log;
mod accounts;
mod anonymous;
mod architecture;
mod attack_buffers;
mod attack_client_limits;
mod attack_expired_streams;
mod attack_framing;
mod attack_headers;
mod attack_held_connections;
mod attack_http2_upstream;
mod attack_path_spellings;
mod attack_paths;
mod attack_portal_connection;
mod attack_redirects;
mod attack_slow_clients;
mod attack_tokens;
mod attack_upgrades;
mod audit_log;
mod binary;
mod binary_accounts;
mod binary_store_faults;
mod command_line;
mod connection_faults;
mod documentation;
mod draining;
mod edge;
mod error_types;
mod governance;
mod guard;
mod guard_wso2;
mod hot_reload;
mod management;
mod pages;
mod pages_account;
mod pages_sign_in;
mod private_port;
mod proxy_protocol;
mod proxying;
mod reported_issues;
mod session_identity;
mod store;
mod store_outage;
mod support;
mod tenancy;
mod uploads;
mod upstreams;
mod vocabulary;
