//! Request validation and normalisation: what no server accepts, what could smuggle a request, and what a client must not send.
//!
//! `validate` leaves path and query as they were sent, and removes headers that a client must not send: hop-by-hop headers,
//! headers only a proxy writes, and every header that a back end could mistake for one of those. A valid request costs one pass
//! over each byte of its path and header names.
//!
//! A `#` cannot be refused here: `http::Uri` has removed the fragment before, so the portal does not see it either.

pub mod cookies;
pub mod fields;
mod hop_by_hop;
pub mod host;
mod target;
mod target_headers;

pub(in crate::proxy) use target::{normalize_own_path, set_path_and_query};

use http::{HeaderValue, StatusCode, Version, request::Parts};

use crate::{
    config::model::LimitSettings,
    domain::path::{PathProblem, PathShape},
    http::cookie,
};

/// Limits of a request's head.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// Path and query.
    pub max_target_bytes: usize,
    pub max_header_bytes: usize,
}

impl From<&LimitSettings> for HeadLimits {
    fn from(limits: &LimitSettings) -> Self {
        Self { max_target_bytes: limits.max_target_bytes, max_header_bytes: limits.max_header_bytes }
    }
}

/// The findings of validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedHead {
    pub path: PathShape,
    pub options: ConnectionOptions,
}

/// The content of the hop-by-hop headers, before they are removed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// The protocols the client asks to switch to. The route decides which of them are allowed (`domain::upgrade`).
    pub upgrade: Option<HeaderValue>,
    /// A proxy reports a client address, trusted or not.
    pub has_forwarding_headers: bool,
    /// The client accepts trailers.
    pub accepts_trailers: bool,
}

/// Why a request is refused: it is ambiguous or invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.detail())]
pub enum Ambiguity {
    Method,
    MethodCase,
    Target,
    TargetTooLong,
    HeadTooLong,
    Path(PathProblem),
    /// Another reading of the path is one of Doorward's own addresses.
    OwnAddress,
    /// Another reading of the path names another tenant.
    TenantInPath,
    /// Another reading of the path belongs to another upstream.
    UpstreamOfPath,
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
    /// For the error page and the log.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Method => "this method is not served here",
            Self::MethodCase => "the method is not written in capitals",
            Self::Target => "the request target is not a path",
            Self::TargetTooLong => "the address is longer than this server accepts (limits.max_target_bytes)",
            Self::HeadTooLong => {
                "the headers are longer than this server accepts (limits.max_header_bytes); often there are too many cookies"
            }
            Self::Path(problem) => problem.detail(),
            Self::OwnAddress => "the path is another spelling of an address of Doorward",
            Self::TenantInPath => "programs may read different tenants in the path",
            Self::UpstreamOfPath => "programs may read different applications in the path",
            Self::HostMissing => "the Host header is missing",
            Self::HostConflict => "the request names more than one host",
            Self::HostInvalid => "the host is not a valid host name",
            Self::BodyLength => "the length of the body is given in more than one way",
            Self::TransferCoding => "the transfer coding is not supported",
            Self::RepeatedHeader => "a header that may occur only once is repeated",
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
            Self::HeadTooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Afterwards: there is a path that begins with '/', exactly one `Host`, at most one `Cookie`, and no hop-by-hop header, proxy
/// header or identity header, except an exact `X-WSO2-Tenant`, which names a tenant and is evaluated by `tenant_selection`.
///
/// Resolve the client from a trusted proxy's headers (`forwarded::resolve_client`) before.
pub fn validate(parts: &mut Parts, limits: HeadLimits) -> Result<ValidatedHead, Ambiguity> {
    let path = target::validate(parts, limits)?;
    if head_bytes(parts) > limits.max_header_bytes {
        return Err(Ambiguity::HeadTooLong);
    }
    host::validate(parts)?;
    let seen = fields::validate(&mut parts.headers)?;
    let mut options = hop_by_hop::remove_hop_by_hop(&mut parts.headers, seen)?;
    if parts.version != Version::HTTP_11 {
        // RFC 9110 §7.8: HTTP/1.0 cannot switch; HTTP/2 has no such header
        options.upgrade = None;
    }
    cookie::merge_lines(&mut parts.headers);
    Ok(ValidatedHead { path, options })
}

/// The size of the head over HTTP/1.1, without its version.
fn head_bytes(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let lines = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    target + lines.sum::<usize>()
}

#[cfg(test)]
mod tests;
