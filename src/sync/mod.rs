//! What many threads share: limits per client.

pub mod client_limits;
