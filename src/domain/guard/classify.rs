//! Classifies a request to a guarded endpoint: not a login, a login with a user name, or one without.

use super::{GuardedHead, LoginGuard, LoginNameSource, MAX_NAME_BYTES, basic, form, json, media, rule};
use crate::domain::guard::AmbiguousLogin;

/// Fields in which portals read a password or a one-time code. [`form::contains_field`] and [`json::names_any`] match other spellings too.
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
pub enum LoginClassification {
    /// A request that cannot contain a password: the login page, a token refresh, a request without credentials.
    NotLogin,
    Named(String),
    /// The request may contain a password, and has no user name.
    Nameless,
}

impl LoginGuard {
    /// Whether both guards read the same part of a request: the header, or the body.
    pub fn reads_same_part_as(&self, other: &Self) -> bool {
        (self.name_source == LoginNameSource::Basic) == (other.name_source == LoginNameSource::Basic)
    }

    /// Whether the body of a request with this method has to be read.
    pub fn reads_body(&self, method: &str) -> bool {
        self.name_source != LoginNameSource::Basic
            && (self.endpoint.accepts_method(method) || rule::is_bodiless(method))
    }

    /// Whether a redirect indicates the outcome.
    pub fn reads_redirect(&self) -> bool {
        !self.failure_signs.redirect.is_empty() || !self.success_signs.redirect.is_empty()
    }

    /// Whether the page only collects the name for another page that verifies the password: nothing is counted here.
    pub fn only_collects_name(&self) -> bool {
        self.name_carrier.is_some() && self.failure_signs.is_empty() && self.success_signs.is_empty()
    }

    /// Whether a request with this method and without a body may be an attempt: it needs no name, and some
    /// portals also read the password from the query.
    fn accepts_nameless(&self, method: &str) -> bool {
        self.verifies_nameless() && self.counts(method)
    }

    /// Whether the portal may verify a password here without a name in the same request.
    fn verifies_nameless(&self) -> bool {
        (self.name_carrier.is_some() || !self.require_name) && !self.only_collects_name()
    }

    /// Whether a request with a method that is not counted may be an attempt by its query: many portals read the query with any
    /// method (PHP, Rack, Jakarta Servlet). An answer that shows no failure takes the attempt back.
    fn takes_query(&self, head: &GuardedHead<'_>) -> bool {
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
        self.endpoint.accepts_method(method) && rule::may_carry_login(&self.name_source, method)
    }

    /// Whether an attempt is refused if no name is known.
    pub fn needs_name(&self, method: &str, has_body: bool) -> bool {
        self.require_name && !self.may_be_page(method, has_body)
    }

    /// Whether a request without a name is an attempt by its query alone, so that it may be any page of the sign-in.
    pub fn may_be_page(&self, method: &str, has_body: bool) -> bool {
        !(self.counts(method) || (has_body && self.endpoint.accepts_method(method)))
    }

    /// `body` is empty if the request has none.
    pub fn classify(
        &self,
        head: &GuardedHead<'_>,
        body: &[u8],
    ) -> Result<LoginClassification, AmbiguousLogin> {
        if self.name_source == LoginNameSource::Basic {
            let name = if self.endpoint.accepts_method(head.method) {
                basic::user(head.authorization)?
            } else {
                None
            };
            return Ok(checked(name)?.map_or(LoginClassification::NotLogin, LoginClassification::Named));
        }
        let query = head.query.unwrap_or_default().as_bytes();
        if form::contains_field(&self.fields(), query) {
            return Err(AmbiguousLogin::NameInQuery);
        }
        // many portals also read fields from the query, with any method
        if self.verifies_nameless() && !self.counts(head.method) && has_password(query) {
            return Err(AmbiguousLogin::PasswordInQuery);
        }
        if !body.is_empty() && rule::is_bodiless(head.method) {
            return Err(AmbiguousLogin::Method);
        }
        if body.is_empty() || !self.endpoint.accepts_method(head.method) {
            let is_attempt = self.accepts_nameless(head.method) || self.takes_query(head);
            return Ok(if is_attempt {
                LoginClassification::Nameless
            } else {
                LoginClassification::NotLogin
            });
        }
        let is_json = matches!(self.name_source, LoginNameSource::Json(_));
        media::check(head, is_json)?;
        let name = match &self.name_source {
            LoginNameSource::Form(fields) => form::value(&form::as_strs(fields), body)?,
            LoginNameSource::Json(members) => json::member(members, body)?,
            LoginNameSource::PasswordGrant => match form::value(&["grant_type"], body)? {
                Some(grant) if is_password(&grant) => form::value(&["username"], body)?,
                Some(grant) if !grant.trim().is_empty() => return Ok(LoginClassification::NotLogin),
                _ => None,
            },
            LoginNameSource::Basic => None,
        };
        let Some(name) = checked(name)? else { return Ok(LoginClassification::Nameless) };
        if form::overrides_method(query) || (!is_json && form::overrides_method(body)) {
            return Err(AmbiguousLogin::Method);
        }
        Ok(LoginClassification::Named(name))
    }

    /// Whether a request that has a name may verify a one-time code of the portal session instead, so that the name may be an
    /// invented one.
    pub fn has_code(&self, body: &[u8]) -> bool {
        !self.require_name
            && match &self.name_source {
                LoginNameSource::Form(_) => form::contains_field(&CODE_FIELDS, body),
                LoginNameSource::Json(_) => json::names_any(&CODE_FIELDS, body),
                LoginNameSource::PasswordGrant | LoginNameSource::Basic => false,
            }
    }

    /// The decoded client input, if the response is searched for success texts.
    pub fn decoded_input(&self, query: Option<&str>, body: &[u8]) -> Vec<u8> {
        if self.success_signs.body.is_empty() {
            return Vec::new();
        }
        let document = match self.name_source {
            LoginNameSource::Json(_) => serde_json::from_slice::<serde_json::Value>(body).ok(),
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

    /// The fields that must not be in the query.
    fn fields(&self) -> Vec<&str> {
        match &self.name_source {
            LoginNameSource::Form(fields) => form::as_strs(fields),
            // frameworks merge query and body into one map, in which a member is found by its last name
            LoginNameSource::Json(members) => {
                members.iter().map(|member| member.rsplit('/').next().unwrap_or(member)).collect()
            }
            LoginNameSource::PasswordGrant => vec!["grant_type", "username"],
            LoginNameSource::Basic => Vec::new(),
        }
    }
}

/// Whether the query has a password or a one-time code. A `code` with a `state` is the authorization response of an
/// identity provider (RFC 6749 §4.1.2).
fn has_password(query: &[u8]) -> bool {
    form::contains_field(&PASSWORD_FIELDS, query)
        || (form::contains_field(&["code"], query) && !form::contains_field(&["state"], query))
}

/// Ignores blanks and case, as lenient portals do.
fn is_password(grant: &str) -> bool {
    grant.trim().eq_ignore_ascii_case("password")
}

pub(super) fn checked(name: Option<String>) -> Result<Option<String>, AmbiguousLogin> {
    let Some(name) = name else { return Ok(None) };
    if name.chars().any(char::is_control) {
        return Err(AmbiguousLogin::ControlCharacter);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(AmbiguousLogin::TooLong);
    }
    Ok(Some(name).filter(|name| !name.trim().is_empty()))
}
