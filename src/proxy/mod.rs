//! The hot path: from a request to the portal's answer, or a refusal.

pub mod hygiene;
