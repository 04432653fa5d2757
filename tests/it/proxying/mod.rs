//! Forwarding: requests as the portal receives them, and responses as the client receives them.

mod forwarding;
mod request_heads;
pub mod request_targets;
mod uploads;
mod upstreams;
