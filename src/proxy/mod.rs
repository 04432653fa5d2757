//! The hot path: from a request to the portal's answer, or a refusal.

pub mod forwarded;
pub mod headers;
pub mod hygiene;
pub mod select;
