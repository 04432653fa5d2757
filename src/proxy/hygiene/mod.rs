//! Message hygiene: one way to read a request, for us and for everybody behind us.
//!
//! `clean` refuses what two programs could read differently, brings the path into its one normal form and takes
//! out what a client must not say: hop-by-hop headers, headers only a proxy writes, and every header that a back
//! end could mistake for one of those. A clean request costs one look at each byte of its path and header names.
//!
//! A `#` cannot be refused here: `http::Uri` has cut off a fragment before we see it, and nobody behind us sees it.

pub mod cookies;
pub mod fields;
mod hop;
pub mod host;
mod target;
mod target_headers;

pub(in crate::proxy) use target::set_path_and_query;

use http::{HeaderValue, StatusCode, Version, request::Parts};

use crate::domain::path::PathProblem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Path and query.
    pub max_target_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_target_bytes: 8 * 1024 }
    }
}

/// What the connection headers said, before they were taken out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The protocols the client asks to switch to. The route says which of them count (`domain::upgrade`).
    pub upgrade: Option<HeaderValue>,
    /// A proxy named its client, rightly or not.
    pub forwarding: bool,
    /// The client takes trailers.
    pub te_trailers: bool,
}

/// Why a request cannot be served: it has more than one meaning, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.detail())]
pub enum Ambiguity {
    Method,
    MethodCase,
    Target,
    TargetTooLong,
    QueryCharacter,
    Path(PathProblem),
    HostMissing,
    HostConflict,
    HostInvalid,
    BodyLength,
    TransferCoding,
    RepeatedHeader,
    ConnectionNomination,
    ConnectionSyntax,
}

impl Ambiguity {
    /// For the page and the log.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Method => "this method is not served here",
            Self::MethodCase => "the method is not written in capitals",
            Self::Target => "the request target is not a path",
            Self::TargetTooLong => "the address is too long",
            Self::QueryCharacter => "the query has a character that has to be percent-encoded",
            Self::Path(problem) => problem.detail(),
            Self::HostMissing => "the Host header is missing",
            Self::HostConflict => "the request names more than one host",
            Self::HostInvalid => "the host is not a valid host name",
            Self::BodyLength => "the length of the body is given in more than one way",
            Self::TransferCoding => "the transfer coding is not supported",
            Self::RepeatedHeader => "a header that may stand only once is there twice",
            Self::ConnectionNomination => {
                "the Connection header names a header that is not of the connection"
            }
            Self::ConnectionSyntax => "a connection header is malformed",
        }
    }

    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Afterwards: `parts.uri.path()` is in its normal form, there is exactly one `Host`, at most one `Cookie`, and no
/// header of a connection, of another proxy or of an identity, except an exact `X-WSO2-Tenant`, which names a
/// tenant and is judged by `select`.
///
/// Read what a trusted proxy says (`forwarded::client`) before.
pub fn clean(parts: &mut Parts, limits: Limits) -> Result<Cleaned, Ambiguity> {
    target::clean(parts, limits)?;
    host::clean(parts)?;
    let seen = fields::clean(&mut parts.headers)?;
    let mut cleaned = hop::clean(&mut parts.headers, seen)?;
    if parts.version != Version::HTTP_11 {
        // RFC 9110 §7.8: HTTP/1.0 cannot switch; HTTP/2 has no such header
        cleaned.upgrade = None;
    }
    cookies::merge(&mut parts.headers);
    Ok(cleaned)
}

#[cfg(test)]
mod tests;
