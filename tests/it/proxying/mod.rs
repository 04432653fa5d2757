//! What the portal and the client receive.

mod forwarding;
mod uploads;
mod upstreams;
