//! Guard of the portal's own login: determines which requests are logins, which user name they contain, and
//! whether the portal's response reports success.
//!
//! The portal parses the same request with other software. A request that two programs could read differently is
//! rejected: an attempt that is counted for one name and verified for another would not be limited.

mod basic;
mod classify;
mod endpoint;
pub mod failure_timing;
mod field_matcher;
mod form;
mod json;
mod media;
mod name_carrier;
pub mod outcome;
mod overlap;
pub mod rule;

pub use classify::LoginClassification;
pub use endpoint::LoginEndpoint;
pub use name_carrier::NameCarrier;
pub use outcome::{Glob, ResponseSigns};
pub use rule::AttemptOutcome;

/// Maximum size of the body of a guarded request.
pub const MAX_BODY: usize = 64 * 1024;

/// Maximum length of a user name: longer than any e-mail address.
const MAX_NAME_BYTES: usize = 512;

/// One login endpoint of the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginGuard {
    pub endpoint: LoginEndpoint,
    pub name_source: LoginNameSource,
    /// Reject a login without a readable user name; otherwise it is counted for the client.
    pub require_name: bool,
    /// Set if the portal asks for the name and the password on separate pages: where it stores the name.
    pub name_carrier: Option<NameCarrier>,
    /// Signs of a failed login in the portal's response; one is sufficient.
    pub failure_signs: ResponseSigns,
    /// Signs of a successful login; one is sufficient.
    pub success_signs: ResponseSigns,
    /// Maximum number of response bytes that are searched for texts.
    pub max_searched_bytes: usize,
    /// Redirect target for locked names: the portal's own page for a wrong password.
    pub locked_redirect: Option<String>,
    /// Configured in a tenant's file, so names are counted for that tenant. Guards of `deployment.toml` count for one
    /// tenant, independently of the tenant of the request: otherwise each tenant would allow five more attempts.
    pub is_tenant_defined: bool,
}

/// Where a login request contains the user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginNameSource {
    /// `application/x-www-form-urlencoded`: one of these fields.
    Form(Vec<String>),
    /// `application/json`: one of these members of the outer object, or JSON pointers (RFC 6901) that start with `/`.
    Json(Vec<String>),
    /// `Authorization: Basic` (RFC 7617).
    Basic,
    /// OAuth 2.0, `grant_type=password` (RFC 6749 §4.3.2).
    PasswordGrant,
}

/// The parts of a request head that a guard reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct GuardedHead<'a> {
    pub method: &'a str,
    /// As it was sent.
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// Absent: `None`; not readable as text: `Some("")`.
    pub content_type: Option<&'a str>,
    pub content_encoding: Option<&'a str>,
    pub authorization: Option<&'a [u8]>,
}

/// Why a login is rejected as ambiguous: the portal may read another user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmbiguousLogin {
    /// A media type that the endpoint does not accept, such as multipart.
    MediaType,
    /// Compressed.
    ContentCoding,
    Charset,
    /// More than one user name, or one in two places.
    DuplicateName,
    /// A field that only some programs treat as the user name.
    LookalikeField,
    /// A user name in the query, beside or instead of the body.
    NameInQuery,
    /// A password in the address, with a method that is not counted.
    PasswordInQuery,
    /// `%zz`, no UTF-8, broken JSON, odd base64.
    Encoding,
    /// NUL, a line break or the like inside a name.
    ControlCharacter,
    TooLong,
    /// The JSON member is not a string.
    NotText,
    /// A body where the method has none, or a method override of a framework.
    Method,
    /// No readable user name.
    MissingName,
    /// More names in one portal session than the guard stores.
    TooManyNames,
    /// More portal sessions of one client than are remembered.
    ManySessions,
}

impl AmbiguousLogin {
    pub const fn status(self) -> u16 {
        match self {
            Self::MediaType | Self::ContentCoding | Self::Charset => 415,
            Self::ManySessions => 429,
            _ => 400,
        }
    }

    pub const fn detail(self) -> &'static str {
        match self {
            Self::MediaType => "a sign-in of this media type is not accepted",
            Self::ContentCoding => "a sign-in must not be compressed",
            Self::Charset => "a sign-in is written in UTF-8",
            Self::DuplicateName => "the sign-in has more than one user name, or one in two places",
            Self::LookalikeField => "the sign-in has a field that some programs read as the user name",
            Self::NameInQuery => "a user name must not be in the query",
            Self::PasswordInQuery => "a password does not belong in the address",
            Self::Encoding => "the sign-in is not encoded correctly",
            Self::ControlCharacter => "the user name has a control character",
            Self::TooLong => "the user name is too long",
            Self::NotText => "the user name is not a text",
            Self::Method => "a sign-in cannot be sent with this method",
            Self::MissingName => "the sign-in has no user name that can be read",
            Self::TooManyNames => "too many user names were given in this session: begin the sign-in again",
            Self::ManySessions => "Too many sign-ins were begun by this client: try again in 15 minutes",
        }
    }
}

#[cfg(test)]
mod tests;
