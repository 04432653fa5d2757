//! Bearer tokens: JWT by key sets, opaque tokens by introspection, and the cache of those verified.

pub mod bearer;
mod cache;
mod claims;
mod ed25519;
mod fetch;
mod introspection;
pub(crate) mod jws;
mod keys;
mod keyset;
mod object;
mod roca;
mod verify;

use std::sync::{Arc, OnceLock};

pub use fetch::{ClientError, HttpClients, http_clients};
pub use keys::KeyStatus;
pub use verify::Verifier;

use crate::{
    domain::{audit::TokenOf, identity::User},
    sync::client_limits::ClientState,
};

/// A token that has been verified under one tenant's policy.
#[derive(Debug)]
pub struct Verified {
    pub user: Arc<User>,
    /// Who vouches for all of that.
    pub of: TokenOf,
    /// Identity headers for the portal, made by the proxy when first needed.
    pub headers: OnceLock<Arc<[(http::HeaderName, http::HeaderValue)]>>,
    /// The user's limits, looked up by the proxy when first needed.
    pub client_state: OnceLock<Arc<ClientState>>,
}

/// Why a token does not count; `error_description` of RFC 6750 is the `Display` form and tells no secret.
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
    #[error("the token is meant for somebody else")]
    WrongAudience,
    #[error("the token lacks a claim that is required here")]
    MissingClaim,
    #[error("the token is not active")]
    Inactive,
    /// RFC 6750 `insufficient_scope`: 403
    #[error("the token lacks a scope that is required here")]
    MissingScope { required: Vec<String> },
    /// Keys or introspection cannot be reached: 503, never "no token"
    #[error("tokens cannot be checked at the moment")]
    Unavailable,
}

#[cfg(test)]
mod tests;
