//! Evaluates claims: from a token's claims to its user, by the rules of its issuer. Pure: `now` is an argument.

use serde_json::{Map, Value};

use super::TokenError;
use crate::{
    config::model::{Issuer, UserTenant},
    domain::{identity::User, tenant::TenantId, time::Timestamp},
};

const MAX_NAME_BYTES: usize = 1024;

/// The source of the claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimsSource {
    /// A signature: `iss`, `aud` and `exp` have to be there.
    Signature,
    /// The issuer's introspection response: a claim that is missing, or null, was checked by the issuer, a present one has to match.
    Introspection,
}

/// Evaluates claims whose source has been verified. A token is valid while `now < exp + leeway`; the user's
/// `expires_at` is that moment, so that connections end at the same time.
pub fn evaluate(
    claims: &Map<String, Value>,
    issuer: &Issuer,
    source: ClaimsSource,
    now: Timestamp,
) -> Result<User, TokenError> {
    let leeway = issuer.leeway;
    let claim = |name: &str| claims.get(name).filter(|value| !value.is_null());
    match claim("iss") {
        Some(Value::String(iss)) if *iss == issuer.issuer => {}
        None if source == ClaimsSource::Introspection => {}
        None => return Err(TokenError::MissingClaim),
        Some(_) => return Err(TokenError::UnknownIssuer),
    }
    if is_other_token_type(claims) {
        return Err(TokenError::WrongAudience);
    }
    let expires_at = match claim("exp") {
        Some(exp) => parse_numeric_date(exp)? + leeway,
        None if source == ClaimsSource::Introspection => now + issuer.cache_ttl,
        None => return Err(TokenError::MissingClaim),
    };
    if now >= expires_at {
        return Err(TokenError::Expired);
    }
    if let Some(nbf) = claim("nbf")
        && now + leeway < parse_numeric_date(nbf)?
    {
        return Err(TokenError::NotYetValid);
    }
    match claim("aud") {
        Some(aud) if contains_audience(aud, &issuer.audiences)? => {}
        None if source == ClaimsSource::Introspection => {}
        // no audience is configured, and the issuer has answered this client: the response speaks for it (RFC 7662 §2.2)
        Some(_) if source == ClaimsSource::Introspection && issuer.audiences.is_empty() => {}
        None => return Err(TokenError::MissingClaim),
        Some(_) => return Err(TokenError::WrongAudience),
    }
    let scopes = scopes(claims);
    if issuer.required_scopes.iter().any(|required| !scopes.contains(required)) {
        return Err(TokenError::MissingScope { required: issuer.required_scopes.clone() });
    }
    let name = match claim_at_path(claims, &issuer.user_claim) {
        // RFC 7662 names the user `username`; `sub` is optional there
        None if source == ClaimsSource::Introspection => claims.get("username"),
        found => found,
    };
    let name = user_name(name)?;
    let (name, tenant) = match &issuer.user_tenant {
        UserTenant::Fixed(tenant) => (name, tenant.clone()),
        UserTenant::Claim(claim) => match claim_at_path(claims, claim) {
            Some(Value::String(tenant)) => (name, parse_tenant(tenant)?),
            Some(_) => return Err(TokenError::Malformed),
            None => return Err(TokenError::MissingClaim),
        },
        UserTenant::NameSuffix => {
            let (name, tenant) = name.rsplit_once('@').ok_or(TokenError::MissingClaim)?;
            (user_name(Some(&name.into()))?, parse_tenant(tenant)?)
        }
    };
    let optional =
        |claim: &str| claims.get(claim).and_then(Value::as_str).filter(|text| is_header_safe(text));
    Ok(User {
        name,
        tenant,
        email: optional("email").map(str::to_owned),
        display_name: optional("name").map(str::to_owned),
        roles: claim_at_path(claims, &issuer.roles_claim).map(string_list).unwrap_or_default(),
        scopes,
        expires_at,
    })
}

/// Tokens that the same issuer signs with the same key for other purposes: ID tokens (OpenID Connect Core), refresh tokens,
/// logout tokens. Keycloak marks them by `typ`, Cognito and Hydra by `token_use`.
fn is_other_token_type(claims: &Map<String, Value>) -> bool {
    let has_value = |claim: &str, others: &[&str]| {
        claims
            .get(claim)
            .and_then(Value::as_str)
            .is_some_and(|said| others.iter().any(|o| o.eq_ignore_ascii_case(said)))
    };
    ["at_hash", "c_hash", "s_hash", "events"].iter().any(|claim| claims.contains_key(*claim))
        || has_value("typ", &["ID", "Refresh", "Offline", "Logout"])
        || has_value("token_use", &["id", "id_token", "refresh", "refresh_token"])
}

/// NumericDate: seconds, possibly with a fraction, which is ignored; never before 1970.
fn parse_numeric_date(date: &Value) -> Result<Timestamp, TokenError> {
    if let Some(whole) = date.as_u64() {
        return Ok(Timestamp::from_seconds(whole));
    }
    match date.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a cast of a number too large saturates"
        )]
        Some(fraction) if fraction >= 0.0 => Ok(Timestamp::from_seconds(fraction as u64)),
        _ => Err(TokenError::Malformed),
    }
}

fn contains_audience(aud: &Value, ours: &[String]) -> Result<bool, TokenError> {
    match aud {
        Value::String(one) => Ok(ours.contains(one)),
        Value::Array(many) => {
            let mut found = false;
            for one in many {
                let Value::String(one) = one else { return Err(TokenError::Malformed) };
                found |= ours.contains(one);
            }
            Ok(found)
        }
        _ => Err(TokenError::Malformed),
    }
}

/// `scope` separated by blanks (RFC 8693), or `scp` (Microsoft, Okta); both also as a list.
fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    let mut scopes = Vec::new();
    for claim in ["scope", "scp"] {
        match claims.get(claim) {
            Some(Value::String(text)) => scopes.extend(text.split_ascii_whitespace().map(str::to_owned)),
            Some(list) => scopes.extend(string_list(list)),
            None => {}
        }
    }
    scopes.retain(|scope| is_header_safe(scope));
    scopes
}

/// A list of strings, or one string. Values that cannot be sent in a header are omitted.
fn string_list(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) if is_header_safe(one) => vec![one.clone()],
        Value::Array(many) => {
            many.iter().filter_map(Value::as_str).filter(|w| is_header_safe(w)).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The claim of that name, or else the path of names joined by dots (Keycloak's `realm_access.roles`).
fn claim_at_path<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (outer, inner) = name.split_once('.')?;
        claim_at_path(claims.get(outer)?.as_object()?, inner)
    })
}

/// The name as the issuer writes it: WSO2's `admin@carbon.super` stays unchanged, since the portal uses that name.
fn user_name(claim: Option<&Value>) -> Result<String, TokenError> {
    let name = match claim {
        None => return Err(TokenError::MissingClaim),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(_) => return Err(TokenError::Malformed),
    };
    if is_header_safe(&name) { Ok(name) } else { Err(TokenError::Malformed) }
}

/// The tenant of a claim, compared exactly: an issuer lets other organisations register names that differ in case or in
/// blanks, and their users are not users of this tenant.
fn parse_tenant(claim: &str) -> Result<TenantId, TokenError> {
    TenantId::parse(claim).ok().filter(|tenant| tenant.as_str() == claim).ok_or(TokenError::Malformed)
}

/// Whether a text can be sent in a header without changing: no control characters, and no
/// outer blanks, which every reader of headers trims.
fn is_header_safe(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME_BYTES
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
