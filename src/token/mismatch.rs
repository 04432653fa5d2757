//! The values of a rejected token, and the expected ones: for the log and `doorward explain`. Pure.
//!
//! The claims may be unverified, so a found value is shortened and quoted.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::TokenError;
use crate::config::model::{Issuer, UserTenant};

const MAX_FOUND_CHARS: usize = 200;

/// `None` if no claim explains the error.
pub fn describe(claims: &Map<String, Value>, issuers: &[Arc<Issuer>], error: &TokenError) -> Option<String> {
    let issuer = issuers.iter().find(|issuer| Some(issuer.issuer.as_str()) == text(claims, "iss"));
    match error {
        TokenError::UnknownIssuer => {
            let known: Vec<_> = issuers.iter().map(|issuer| &issuer.issuer).collect();
            Some(format!("iss is {}, the issuers are {known:?}", found(claims, "iss")))
        }
        TokenError::WrongAudience => {
            Some(format!("aud is {}, expected is one of {:?}", found(claims, "aud"), issuer?.audiences))
        }
        TokenError::MissingScope { required } => {
            let scopes = if claims.contains_key("scope") { "scope" } else { "scp" };
            Some(format!("{scopes} is {}, required are {required:?}", found(claims, scopes)))
        }
        TokenError::Expired => Some(format!("exp is {}", found(claims, "exp"))),
        TokenError::NotYetValid => Some(format!("nbf is {}", found(claims, "nbf"))),
        TokenError::MissingClaim => Some(format!("{} is missing", missing(claims, issuer.map(Arc::as_ref))?)),
        _ => None,
    }
}

fn text<'c>(claims: &'c Map<String, Value>, claim: &str) -> Option<&'c str> {
    claims.get(claim)?.as_str()
}

fn found(claims: &Map<String, Value>, claim: &str) -> String {
    let Some(value) = claims.get(claim) else { return "missing".to_owned() };
    let written = value.to_string();
    let mut shown: String = written.chars().take(MAX_FOUND_CHARS).collect();
    if shown.len() < written.len() {
        shown.push('…');
    }
    shown
}

/// The first required claim that is not there.
fn missing(claims: &Map<String, Value>, issuer: Option<&Issuer>) -> Option<String> {
    let is_missing = |claim: &str| claims.get(claim).is_none_or(Value::is_null);
    if let Some(claim) = ["iss", "exp", "aud"].into_iter().find(|claim| is_missing(claim)) {
        return Some(claim.to_owned());
    }
    let issuer = issuer?;
    let of_user = issuer.user_claim.clone();
    if is_missing(of_user.split('.').next().unwrap_or_default()) {
        return Some(of_user);
    }
    match &issuer.user_tenant {
        UserTenant::Claim(claim) => Some(claim.clone()),
        UserTenant::NameSuffix => Some(format!("the tenant behind the last @ of {of_user}")),
        UserTenant::Fixed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{config::model::KeySource, token::tests::support::issuer};

    #[test]
    fn names_expected_and_found_values() {
        let mut tenant = issuer(KeySource::None);
        tenant.user_tenant = UserTenant::NameSuffix;
        let iss = tenant.issuer.clone();
        let issuers = [Arc::new(tenant)];
        let required = vec!["a".to_owned()];
        let whole = json!({"iss": iss, "aud": "other", "exp": 7, "sub": "ann", "scp": ["b"]});
        for (claims, error, expected) in [
            (
                json!({"iss": "https://x/"}),
                TokenError::UnknownIssuer,
                "iss is \"https://x/\", the issuers are [\"https://id.example\"]",
            ),
            (
                json!({}),
                TokenError::UnknownIssuer,
                "iss is missing, the issuers are [\"https://id.example\"]",
            ),
            (whole.clone(), TokenError::WrongAudience, "aud is \"other\", expected is one of [\"portal\"]"),
            (whole.clone(), TokenError::Expired, "exp is 7"),
            (whole.clone(), TokenError::MissingScope { required }, "scp is [\"b\"], required are [\"a\"]"),
            (json!({"iss": iss}), TokenError::MissingClaim, "exp is missing"),
            (whole, TokenError::MissingClaim, "the tenant behind the last @ of sub is missing"),
        ] {
            let described = describe(claims.as_object().unwrap(), &issuers, &error).unwrap();
            assert_eq!(described, expected);
        }
        assert_eq!(describe(&Map::new(), &issuers, &TokenError::BadSignature), None);
        let long = json!({"iss": "x".repeat(1000)});
        let described = describe(long.as_object().unwrap(), &issuers, &TokenError::UnknownIssuer).unwrap();
        assert!(described.chars().count() < 300, "{described}");
    }
}
