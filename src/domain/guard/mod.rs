//! The portal's own sign-in, guarded: which requests sign somebody in, whose name they carry, and whether the portal's answer
//! says that it worked.
//!
//! The portal reads the same request with a program of its own. Whatever two programs could read differently is refused: a
//! guess that is counted for one name and checked for another would be a guess for free.

mod basic;
mod carrier;
mod endpoint;
mod field;
mod form;
mod json;
mod media;
pub mod outcome;
mod overlap;
pub mod pace;
mod reading;
pub mod rule;

pub use carrier::Carrier;
pub use endpoint::Endpoint;
pub use outcome::{Glob, Signs};
pub use reading::Reading;
pub use rule::Outcome;

/// The body of a guarded request is read up to here; nobody's name and password are longer.
pub const MAX_BODY: usize = 64 * 1024;

/// A user name is at most as long as an e-mail address, and then some.
const MAX_NAME: usize = 512;

/// One sign-in of the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    pub endpoint: Endpoint,
    pub user: UserIn,
    /// A sign-in without a user name that can be read is refused; otherwise it is counted on the client.
    pub require_name: bool,
    /// The portal asks for the name first and for the password later, and remembers the name by this.
    pub name_from: Option<Carrier>,
    /// What the portal's answer to a wrong password has; any of it is enough.
    pub failed: Signs,
    /// What its answer to the right one has; any of it is enough.
    pub succeeded: Signs,
    /// How many bytes of an answer are searched for texts.
    pub searched: usize,
    /// Where a browser is sent while its name is locked: the portal's own address for a wrong password.
    pub locked_redirect: Option<String>,
    /// Out of a tenant's file, so names are counted as that tenant's. Those of `deployment.toml` count for one tenant, whichever
    /// the request has chosen: a tenant more would be five guesses more.
    pub of_tenant: bool,
}

/// Where a sign-in carries the user's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserIn {
    /// `application/x-www-form-urlencoded`: one of these fields.
    Form(Vec<String>),
    /// `application/json`: one of these members of the outer object, or JSON pointers (RFC 6901) that start with `/`.
    Json(Vec<String>),
    /// `Authorization: Basic` (RFC 7617).
    Basic,
    /// OAuth 2.0, `grant_type=password` (RFC 6749 §4.3.2).
    PasswordGrant,
}

/// What a guard has to know of a request's head.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    pub method: &'a str,
    /// In normal form.
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// Absent: `None`; not readable as text: `Some("")`.
    pub content_type: Option<&'a str>,
    pub content_encoding: Option<&'a str>,
    pub authorization: Option<&'a [u8]>,
}

/// Why a sign-in is refused: the portal might read another name than we do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Not the kind of body this endpoint takes, multipart above all.
    MediaType,
    /// Compressed.
    Coding,
    Charset,
    /// More than one user name, or one in two places, each with a password.
    Twice,
    /// A field that some programs take for the one with the user name, and others do not.
    Alike,
    /// In the address, beside or instead of the body.
    InQuery,
    /// A password in the address, with a method that is not counted.
    PasswordInQuery,
    /// `%zz`, no UTF-8, broken JSON, odd base64.
    Encoding,
    /// NUL, a line break or the like inside a name.
    Control,
    TooLong,
    /// A member of JSON that is no text.
    NotText,
    /// A body where the method has none, or a method that a framework puts in the place of the one that was read.
    Method,
    /// No user name that can be read.
    NoName,
    /// More names in one portal session than are remembered.
    ManyNames,
    /// More portal sessions of one client than are remembered.
    ManySessions,
}

impl Doubt {
    pub const fn status(self) -> u16 {
        match self {
            Self::MediaType | Self::Coding | Self::Charset => 415,
            Self::ManySessions => 429,
            _ => 400,
        }
    }

    pub const fn detail(self) -> &'static str {
        match self {
            Self::MediaType => "a sign-in of this type is not taken here",
            Self::Coding => "a sign-in must not be compressed",
            Self::Charset => "a sign-in is written in UTF-8",
            Self::Twice => "the sign-in has more than one user name, or one in two places",
            Self::Alike => "the sign-in has a field that can be mistaken for the user name",
            Self::InQuery => "a user name does not belong into the address",
            Self::PasswordInQuery => "a password does not belong in the address",
            Self::Encoding => "the sign-in is not encoded as it should be",
            Self::Control => "the user name has a control character",
            Self::TooLong => "the user name is too long",
            Self::NotText => "the user name is not a text",
            Self::Method => "a sign-in cannot be sent with this method",
            Self::NoName => "the sign-in has no user name that can be read",
            Self::ManyNames => "too many user names were given in this session: begin the sign-in again",
            Self::ManySessions => "Too many sign-ins were begun by this client: try again in 15 minutes",
        }
    }
}

#[cfg(test)]
mod tests;
