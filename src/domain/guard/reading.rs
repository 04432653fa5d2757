//! What a request at a guarded address is: no sign-in, one with a name, or one without.

use super::{Guard, Head, MAX_NAME, UserIn, basic, form, json, media, rule};
use crate::domain::guard::Doubt;

/// Fields in which portals read a password or a one-time code. Other spellings are compared by [`form::names_any`].
const PASSWORD_FIELDS: [&str; 14] = [
    "password",
    "passwd",
    "pass",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "pin",
    "otp",
    "totp",
    "otpcode",
    "onetimepassword",
    "token",
    "j_password",
];

/// Fields in which portals read a one-time code.
const CODE_FIELDS: [&str; 13] = [
    "code",
    "otp",
    "totp",
    "token",
    "pin",
    "passcode",
    "otpcode",
    "otptoken",
    "mfacode",
    "backupcode",
    "verificationcode",
    "twofactorcode",
    "onetimepassword",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Nothing that could hold a password: the page itself, a token refreshed, a request without credentials.
    NoSignIn,
    Named(String),
    /// It may hold a password, and names no user.
    Nameless,
}

impl Guard {
    /// Whether both read the same part of a request: the header, or the body.
    pub fn is_beside(&self, other: &Self) -> bool {
        (self.user == UserIn::Basic) == (other.user == UserIn::Basic)
    }

    /// Whether the body of a request with this method has to be read.
    pub fn reads_body(&self, method: &str) -> bool {
        self.user != UserIn::Basic && (self.endpoint.takes(method) || rule::is_bodiless(method))
    }

    /// Whether a redirect says whether the password was right.
    pub fn reads_redirect(&self) -> bool {
        !self.failed.redirect.is_empty() || !self.succeeded.redirect.is_empty()
    }

    /// Whether the page only takes a name, for another that verifies the password: nothing is counted here.
    pub fn only_names(&self) -> bool {
        self.name_from.is_some() && self.failed.is_empty() && self.succeeded.is_empty()
    }

    /// Whether a request with this method may be an attempt though it has no body: it needs no name, and some portals also
    /// read the password from the query.
    fn takes_nameless(&self, method: &str) -> bool {
        self.verifies_nameless() && self.counts(method)
    }

    /// Whether the portal may verify a password here without a name in the same request.
    fn verifies_nameless(&self) -> bool {
        (self.name_from.is_some() || !self.require_name) && !self.only_names()
    }

    /// Whether a request with a method that is not counted may be an attempt by its query: many portals read the query with any
    /// method (PHP, Rack, Jakarta Servlet). An answer that shows no failure takes the attempt back.
    fn takes_query(&self, head: &Head<'_>) -> bool {
        let is_of_attempt = |query: &str| !query.is_empty() && !self.is_of_locked_redirect(query);
        self.verifies_nameless() && !self.counts(head.method) && head.query.is_some_and(is_of_attempt)
    }

    /// Whether it is the query of `locked_redirect`. A locked browser is redirected there, so counting that request would
    /// redirect it to itself.
    fn is_of_locked_redirect(&self, query: &str) -> bool {
        let written = self.locked_redirect.as_deref().and_then(|address| address.split_once('?'));
        written.is_some_and(|(_, written)| written.split('#').next() == Some(query))
    }

    fn counts(&self, method: &str) -> bool {
        self.endpoint.takes(method) && rule::may_sign_in(&self.user, method)
    }

    /// Whether an attempt is refused if no name is known.
    pub fn needs_name(&self, method: &str, has_body: bool) -> bool {
        self.require_name && !self.may_be_page(method, has_body)
    }

    /// Whether a request without a name is an attempt by its query alone, so that it may be any page of the sign-in.
    pub fn may_be_page(&self, method: &str, has_body: bool) -> bool {
        !(self.counts(method) || (has_body && self.endpoint.takes(method)))
    }

    /// `body` is empty where there is none.
    pub fn read(&self, head: &Head<'_>, body: &[u8]) -> Result<Reading, Doubt> {
        if self.user == UserIn::Basic {
            let name = if self.endpoint.takes(head.method) { basic::user(head.authorization)? } else { None };
            return Ok(checked(name)?.map_or(Reading::NoSignIn, Reading::Named));
        }
        let query = head.query.unwrap_or_default().as_bytes();
        if form::names_any(&self.fields(), query) {
            return Err(Doubt::InQuery);
        }
        // many portals also read fields from the query, with any method
        if self.verifies_nameless() && !self.counts(head.method) && has_password(query) {
            return Err(Doubt::PasswordInQuery);
        }
        if !body.is_empty() && rule::is_bodiless(head.method) {
            return Err(Doubt::Method);
        }
        if body.is_empty() || !self.endpoint.takes(head.method) {
            let is_attempt = self.takes_nameless(head.method) || self.takes_query(head);
            return Ok(if is_attempt { Reading::Nameless } else { Reading::NoSignIn });
        }
        let is_json = matches!(self.user, UserIn::Json(_));
        media::check(head, is_json)?;
        let name = match &self.user {
            UserIn::Form(fields) => form::value(&form::texts(fields), body)?,
            UserIn::Json(members) => json::member(members, body)?,
            UserIn::PasswordGrant => match form::value(&["grant_type"], body)? {
                Some(grant) if is_password(&grant) => form::value(&["username"], body)?,
                Some(grant) if !grant.trim().is_empty() => return Ok(Reading::NoSignIn),
                _ => None,
            },
            UserIn::Basic => None,
        };
        let Some(name) = checked(name)? else { return Ok(Reading::Nameless) };
        if form::overrides_method(query) || (!is_json && form::overrides_method(body)) {
            return Err(Doubt::Method);
        }
        Ok(Reading::Named(name))
    }

    /// Whether a request that has a name may verify a one-time code of the portal session instead, so that the name may be an
    /// invented one.
    pub fn has_code(&self, body: &[u8]) -> bool {
        !self.require_name
            && match &self.user {
                UserIn::Form(_) => form::names_any(&CODE_FIELDS, body),
                UserIn::Json(_) => json::names_any(&CODE_FIELDS, body),
                UserIn::PasswordGrant | UserIn::Basic => false,
            }
    }

    /// What the client sent, decoded, where the answer is searched for a text that proves the password.
    pub fn sent(&self, query: Option<&str>, body: &[u8]) -> Vec<u8> {
        if self.succeeded.body.is_empty() {
            return Vec::new();
        }
        let document = match self.user {
            UserIn::Json(_) => serde_json::from_slice::<serde_json::Value>(body).ok(),
            _ => None,
        };
        let mut sent = form::plain(query.unwrap_or_default().as_bytes());
        sent.push(b'\n');
        match document.map(|document| document.to_string()) {
            Some(text) => sent.extend(text.replace("\\\"", "\"").into_bytes()),
            None => sent.extend(form::plain(body)),
        }
        sent
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

/// Whether the query has a password or a one-time code. A `code` with a `state` is the authorization response of an
/// identity provider (RFC 6749 §4.1.2).
fn has_password(query: &[u8]) -> bool {
    form::names_any(&PASSWORD_FIELDS, query)
        || (form::names_any(&["code"], query) && !form::names_any(&["state"], query))
}

/// Blanks and case count for as little as a lenient portal makes of them.
fn is_password(grant: &str) -> bool {
    grant.trim().eq_ignore_ascii_case("password")
}

pub(super) fn checked(name: Option<String>) -> Result<Option<String>, Doubt> {
    let Some(name) = name else { return Ok(None) };
    if name.chars().any(char::is_control) {
        return Err(Doubt::Control);
    }
    if name.len() > MAX_NAME {
        return Err(Doubt::TooLong);
    }
    Ok(Some(name).filter(|name| !name.trim().is_empty()))
}
