//! Bearer tokens: JWT by key sets, opaque tokens by introspection, and the cache of verified ones.

pub mod bearer;
mod cache;
mod claims;
mod ed25519;
mod fetch;
mod introspection;
pub(crate) mod jws;
mod key_set;
mod key_set_cache;
mod mismatch;
mod roca;
mod strict_json;
mod verify;

use std::sync::{Arc, OnceLock};

pub use fetch::http_clients;
pub use verify::{Verifier, describe_mismatch, is_of_other_issuer};

use crate::{
    domain::{audit::TokenIssuer, identity::User},
    sync::client_limits::ClientState,
};

/// A token that has been verified under one tenant's policy.
#[derive(Debug)]
pub struct VerifiedToken {
    pub user: Arc<User>,
    /// The source of these claims.
    pub source: TokenIssuer,
    /// Identity headers for the portal, built by the proxy when first needed.
    pub headers: OnceLock<Arc<[(http::HeaderName, http::HeaderValue)]>>,
    /// The user's limits, looked up by the proxy when first needed.
    pub client_state: OnceLock<Arc<ClientState>>,
}

/// Why a token is refused; `error_description` of RFC 6750 is the `Display` form and discloses no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token is too long")]
    TooLong,
    #[error("the token's issuer is not trusted here")]
    UnknownIssuer,
    #[error("the token's key is not known")]
    UnknownKey,
    #[error("the token's signature is not valid")]
    BadSignature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token is for another audience")]
    WrongAudience,
    #[error("the token lacks a claim that is required here")]
    MissingClaim,
    #[error("the token is not active")]
    Inactive,
    /// RFC 6750 `insufficient_scope`: 403
    #[error("the token lacks a scope that is required here")]
    MissingScope { required: Vec<String> },
    /// Keys or introspection cannot be reached: 503, never "no token"
    #[error("tokens cannot be verified at the moment")]
    Unavailable,
}

#[cfg(test)]
mod tests;
