//! What the portal and the client receive.

mod forwarding;
mod request_heads;
pub mod request_targets;
mod uploads;
mod upstreams;
