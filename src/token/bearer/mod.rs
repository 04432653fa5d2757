//! Reads the credential of a request. Pure: header values and the query go in, a credential or a reason comes out.
//!
//! WSO2's portals keep an access token in two halves, so that no script can read it and no forged request can carry
//! it: the first half goes in the `Authorization` header (or, for a page, in a cookie scripts can read), the second in
//! the HttpOnly cookie `AM_ACC_TOKEN_DEFAULT_P2`. The cut may be anywhere (newer versions cut at half the length
//! of the *refresh* token), so a half cannot be recognised as such: where the second cookie exists, a header value that
//! is no complete JWT is taken for a first half and joined, as WSO2 does. Complete means three parts of which the
//! first names a signature algorithm and the last has exactly the length of such a signature. Joining can
//! not make a token out of two users': the result has to carry one valid signature over all of it.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use serde::Deserialize;

use crate::http::{
    authorization::{self, DuplicateAuthorization, is_token68},
    cookie::{AmbiguousCookie, read as read_cookie},
};

/// First half of WSO2's split token, readable by scripts.
pub const FIRST_HALF_COOKIE: &str = "WSO2_AM_TOKEN_1_Default";
/// Second half, HttpOnly.
pub const SECOND_HALF_COOKIE: &str = "AM_ACC_TOKEN_DEFAULT_P2";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential<'a> {
    None,
    Bearer(Cow<'a, str>),
    /// `Authorization` with another scheme: `Basic`, `DPoP` …
    OtherScheme,
}

/// Why the credential cannot be read; the `Display` form goes to the client as `error_description` (400 or 401).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCredential {
    #[error("the request has more than one Authorization header")]
    TwoHeaders,
    #[error("the request has more than one access token")]
    TwoTokens,
    #[error("the Authorization header is not a scheme and one token")]
    NotOneToken,
    #[error("the token is too long")]
    TooLong,
}

/// Places of a token that are read for this request.
#[derive(Debug, Clone, Copy)]
pub struct TokenLocations<'a> {
    /// `Authorization`. `false`: the header is the portal's.
    pub authorization: bool,
    /// Longest token accepted, joined or whole (`limits.max_token_bytes`).
    pub max_bytes: usize,
    /// Cookie with a whole token (the tenant's `token_cookie`).
    pub token_cookie: Option<&'a str>,
    /// A browser opens a page: it cannot set a header, so both halves count as cookies.
    pub both_halves_as_cookies: bool,
    /// The query of a download: `access_token` in it counts as first half, and only with the second in its cookie.
    pub query: Option<&'a str>,
}

impl TokenLocations<'_> {
    pub const fn header_only(max_bytes: usize) -> Self {
        Self {
            authorization: true,
            max_bytes,
            token_cookie: None,
            both_halves_as_cookies: false,
            query: None,
        }
    }
}

/// Only introspection can verify it. One dot or many: no JWS, no JWE, but some issuers' opaque tokens look like that.
pub fn is_opaque(token: &str) -> bool {
    !matches!(token.bytes().filter(|byte| *byte == b'.').count(), 2 | 4)
}

/// Finds the one credential of a request. In this order: `Authorization`, the query of a download, the cookie with a
/// whole token, the two halves as cookies.
pub fn extract<'a>(
    headers: &'a HeaderMap,
    places: &TokenLocations<'a>,
) -> Result<Credential<'a>, BadCredential> {
    let header =
        if places.authorization { read_authorization(headers)? } else { AuthorizationHeader::Absent };
    let in_header = match header {
        AuthorizationHeader::Absent => None,
        AuthorizationHeader::OtherScheme => return Ok(Credential::OtherScheme),
        AuthorizationHeader::Bearer(token) if token.len() > places.max_bytes => {
            return Err(BadCredential::TooLong);
        }
        AuthorizationHeader::Bearer(token) => Some(token),
    };
    let in_query = places.query.map_or(Ok(None), access_token)?;
    let token = match (in_header, in_query) {
        (Some(_), Some(_)) => return Err(BadCredential::TwoTokens),
        (Some(token), None) => match cookie(headers, SECOND_HALF_COOKIE)? {
            Some(second) if !is_complete_jwt(token) => join_halves(token, second),
            _ => Cow::Borrowed(token),
        },
        (None, Some(first)) => match cookie(headers, SECOND_HALF_COOKIE)? {
            Some(second) => join_halves(&first, second),
            None => return Ok(Credential::None),
        },
        (None, None) => match in_cookies(headers, places)? {
            Some(token) => token,
            None => return Ok(Credential::None),
        },
    };
    if token.len() > places.max_bytes { Err(BadCredential::TooLong) } else { Ok(Credential::Bearer(token)) }
}

/// Which of the cookies that can hold a token belong to the token that `extract` found; the others are not verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifiedCookies {
    pub whole: bool,
    pub first_half: bool,
    pub second_half: bool,
}

impl VerifiedCookies {
    /// `reads_header`: `Authorization` was read.
    pub fn of(
        headers: &HeaderMap,
        reads_header: bool,
        token_cookie: Option<&str>,
        query: Option<&str>,
    ) -> Self {
        let read = |name: &str| cookie(headers, name).ok().flatten();
        if reads_header && let Ok(AuthorizationHeader::Bearer(token)) = read_authorization(headers) {
            let second_half = !is_complete_jwt(token) && read(SECOND_HALF_COOKIE).is_some();
            let first_half = second_half && read(FIRST_HALF_COOKIE) == Some(token);
            return Self { whole: false, first_half, second_half };
        }
        if query.is_some_and(has_access_token_parameter) {
            return Self { second_half: true, ..Self::default() };
        }
        let whole = token_cookie.is_some_and(|name| read(name).is_some());
        Self { whole, first_half: !whole, second_half: !whole }
    }
}

enum AuthorizationHeader<'a> {
    Absent,
    OtherScheme,
    Bearer(&'a str),
}

/// RFC 6750 §2.1: one token and nothing more.
fn read_authorization(headers: &HeaderMap) -> Result<AuthorizationHeader<'_>, BadCredential> {
    match authorization::read(headers) {
        Err(DuplicateAuthorization) => Err(BadCredential::TwoHeaders),
        Ok(None) => Ok(AuthorizationHeader::Absent),
        Ok(Some(sent)) if sent.has_scheme("Bearer") => {
            sent.token68().map(AuthorizationHeader::Bearer).ok_or(BadCredential::NotOneToken)
        }
        Ok(Some(sent)) if sent.is_well_formed() => Ok(AuthorizationHeader::OtherScheme),
        Ok(Some(_)) => Err(BadCredential::NotOneToken),
    }
}

fn in_cookies<'a>(
    headers: &'a HeaderMap,
    places: &TokenLocations<'_>,
) -> Result<Option<Cow<'a, str>>, BadCredential> {
    if let Some(name) = places.token_cookie
        && let Some(token) = cookie(headers, name)?
    {
        return Ok(Some(Cow::Borrowed(token)));
    }
    if !places.both_halves_as_cookies {
        return Ok(None);
    }
    match (cookie(headers, FIRST_HALF_COOKIE)?, cookie(headers, SECOND_HALF_COOKIE)?) {
        (Some(first), Some(second)) => Ok(Some(join_halves(first, second))),
        _ => Ok(None),
    }
}

fn join_halves(first: &str, second: &str) -> Cow<'static, str> {
    let mut whole = String::with_capacity(first.len() + second.len());
    whole.push_str(first);
    whole.push_str(second);
    Cow::Owned(whole)
}

/// The cookie's value, if it could be (part of) a token. An ambiguous one is an attempt to plant a token.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, BadCredential> {
    let value = read_cookie(headers, name).map_err(|AmbiguousCookie| BadCredential::TwoTokens)?;
    Ok(value.and_then(|value| std::str::from_utf8(value).ok()).filter(|value| is_token68(value)))
}

/// Whether a query names `access_token`, in any spelling of the name.
pub fn has_access_token_parameter(query: &str) -> bool {
    query.split('&').any(|pair| is_access_token(pair.split('=').next().unwrap_or_default()))
}

fn is_access_token(name: &str) -> bool {
    percent_encoding::percent_decode_str(name).eq(b"access_token".iter().copied())
}

/// The value of `access_token` in a query.
fn access_token(query: &str) -> Result<Option<Cow<'_, str>>, BadCredential> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if is_access_token(name) && found.replace(value).is_some() {
            return Err(BadCredential::TwoTokens);
        }
    }
    let Some(value) = found.filter(|value| !value.is_empty()) else { return Ok(None) };
    let value =
        percent_encoding::percent_decode_str(value).decode_utf8().map_err(|_| BadCredential::NotOneToken)?;
    if is_token68(&value) { Ok(Some(value)) } else { Err(BadCredential::NotOneToken) }
}

/// Whether a text is a whole JWT by its form. A truncated signature has another length than a whole one; only for RSA
/// keys of several lengths could a cut fall on the length of a smaller key (one cut in several hundred).
fn is_complete_jwt(text: &str) -> bool {
    #[derive(Deserialize)]
    struct JoseHeader<'a> {
        #[serde(borrow)]
        alg: Cow<'a, str>,
    }
    let mut parts = text.split('.');
    let (Some(head), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Ok(head) = URL_SAFE_NO_PAD.decode(head) else { return false };
    let Ok(JoseHeader { alg }) = serde_json::from_slice(&head) else { return false };
    // characters of base64url for 64 bytes; 96 bytes; RSA of 2048, 3072, 4096, 6144 and 8192 bits
    let lengths: &[usize] = match alg.get(..2) {
        _ if alg == "ES384" => &[128],
        Some("ES" | "Ed") => &[86],
        Some("RS" | "PS") => &[342, 512, 683, 1024, 1366],
        // not verifiable here, but a complete token: it gets its own refusal
        _ => return !payload.is_empty() && !signature.is_empty(),
    };
    !payload.is_empty() && lengths.contains(&signature.len())
}

#[cfg(test)]
mod tests;
