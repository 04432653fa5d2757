//! The portal's own sign-in, guarded: which requests sign somebody in, whose name they carry, and whether the portal's answer
//! says that it worked.
//!
//! The portal reads the same request with a program of its own. Whatever two programs could read differently is refused: a
//! guess that is counted for one name and checked for another would be a guess for free.

mod basic;
mod endpoint;
mod form;
mod json;
mod media;
pub mod outcome;
pub mod pace;

pub use endpoint::Endpoint;
pub use outcome::{Glob, Outcome, Signs};

/// The body of a guarded request is read up to here; nobody's name and password are longer.
pub const MAX_BODY: usize = 64 * 1024;

/// A user name is at most as long as an e-mail address, and then some.
const MAX_NAME: usize = 512;

/// One sign-in of the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    pub endpoint: Endpoint,
    pub user: UserIn,
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
    /// `%zz`, no UTF-8, broken JSON, odd base64.
    Encoding,
    /// NUL, a line break or the like inside a name.
    Control,
    TooLong,
    /// A member of JSON that is no text.
    NotText,
}

impl Doubt {
    pub const fn status(self) -> u16 {
        match self {
            Self::MediaType | Self::Coding | Self::Charset => 415,
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
            Self::Encoding => "the sign-in is not encoded as it should be",
            Self::Control => "the user name has a control character",
            Self::TooLong => "the user name is too long",
            Self::NotText => "the user name is not a text",
        }
    }
}

impl Guard {
    /// Whether both read the same part of a request: the header, or the body.
    pub fn is_beside(&self, other: &Self) -> bool {
        (self.user == UserIn::Basic) == (other.user == UserIn::Basic)
    }

    /// Whether a name may be in the body of a request with this method.
    pub fn reads_body(&self, method: &str) -> bool {
        self.user != UserIn::Basic && self.endpoint.takes(method)
    }

    /// The name somebody wants to sign in with; `None` where nobody does. `body` is empty where there is none.
    pub fn name(&self, head: &Head<'_>, body: &[u8]) -> Result<Option<String>, Doubt> {
        if let UserIn::Basic = self.user {
            if !self.endpoint.takes(head.method) {
                return Ok(None);
            }
            return checked(basic::user(head.authorization)?);
        }
        if head.query.is_some_and(|query| form::names_any(&self.fields(), query.as_bytes())) {
            return Err(Doubt::InQuery);
        }
        if !self.endpoint.takes(head.method) || body.is_empty() {
            return Ok(None);
        }
        media::check(head, matches!(self.user, UserIn::Json(_)))?;
        checked(match &self.user {
            UserIn::Form(fields) => form::value(&form::texts(fields), body)?,
            UserIn::Json(members) => json::member(members, body)?,
            UserIn::PasswordGrant if is_password_grant(body)? => form::value(&["username"], body)?,
            UserIn::PasswordGrant | UserIn::Basic => None,
        })
    }

    /// The fields that must not stand in the query.
    fn fields(&self) -> Vec<&str> {
        match &self.user {
            UserIn::Form(fields) => form::texts(fields),
            // frameworks put query and body into one map: there a member goes by its own name
            UserIn::Json(members) => {
                members.iter().map(|member| member.rsplit('/').next().unwrap_or(member)).collect()
            }
            UserIn::PasswordGrant => vec!["grant_type", "username"],
            UserIn::Basic => Vec::new(),
        }
    }
}

/// Blanks and case count for as little as a generous portal makes of them.
fn is_password_grant(body: &[u8]) -> Result<bool, Doubt> {
    let grant = form::value(&["grant_type"], body)?;
    Ok(grant.is_some_and(|grant| grant.trim().eq_ignore_ascii_case("password")))
}

fn checked(name: Option<String>) -> Result<Option<String>, Doubt> {
    let Some(name) = name else { return Ok(None) };
    if name.chars().any(char::is_control) {
        return Err(Doubt::Control);
    }
    if name.len() > MAX_NAME {
        return Err(Doubt::TooLong);
    }
    Ok(Some(name).filter(|name| !name.trim().is_empty()))
}

#[cfg(test)]
mod tests;
