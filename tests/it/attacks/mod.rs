//! Attacks on the proxy; the name of each test begins with `attack_`.

mod buffers;
mod client_limits;
mod expired_streams;
mod forwarded_headers;
mod framing;
mod headers;
mod held_connections;
mod http2_upstream;
mod path_spellings;
mod paths;
mod portal_connection;
mod redirects;
mod slow_clients;
mod target_readings;
mod token_keys;
mod tokens;
mod upgrades;
