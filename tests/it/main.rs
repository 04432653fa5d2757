//! The one integration binary: the whole gate, on real sockets, against a portal that records what reaches it.
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
mod attack_framing;
mod attack_headers;
mod attack_holding;
mod attack_http2_upstream;
mod attack_outliving;
mod attack_paths;
mod attack_rates;
mod attack_redirects;
mod attack_shares;
mod attack_spellings;
mod attack_tokens;
mod attack_upgrades;
mod attack_wire;
mod audit_log;
mod binary;
mod binary_accounts;
mod binary_store_faults;
mod command_line;
mod complaints;
mod connection_faults;
mod documentation;
mod draining;
mod edge;
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
mod session_identity;
mod store;
mod store_away;
mod support;
mod tenancy;
mod uploads;
mod upstreams;
