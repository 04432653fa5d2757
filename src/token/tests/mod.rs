//! Tokens against the whole verifier, with an issuer on loopback.

mod attacks;
mod introspection;
mod keys;
mod rules;
pub mod support;
mod wycheproof;
