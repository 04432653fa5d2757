use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    config::model::KeySource,
    domain::time::Timestamp,
    token::tests::support::{AUDIENCE, NOW, NOW_SECONDS, claims, claims_with, issuer, secs},
};

fn evaluated(claims: &Value) -> Result<User, TokenError> {
    evaluate(claims.as_object().unwrap(), &issuer(KeySource::None), ClaimsSource::Signature, NOW)
}

#[test]
fn accepts_valid_claims() {
    for changes in [
        json!({}),
        json!({"aud": [AUDIENCE]}),
        json!({"aud": ["other", AUDIENCE]}),
        json!({"exp": NOW_SECONDS + 1}),
        json!({"exp": 1_900_000_000.5}),
        json!({"exp": 1e300}),
        json!({"exp": u64::MAX}),
        json!({"nbf": NOW_SECONDS}),
        json!({"nbf": NOW_SECONDS - 1}),
        json!({"sub": "josé"}),
        json!({"sub": 42}),
        json!({"typ": "Bearer", "token_use": "access"}),
        json!({"roles": 7, "scope": 7, "email": 7, "name": []}),
    ] {
        assert!(evaluated(&claims_with(&changes)).is_ok(), "{changes}");
    }
}

#[test]
fn rejects_invalid_claims() {
    use TokenError::*;
    for (changes, error) in [
        (json!({"iss": null}), MissingClaim),
        (json!({"iss": "https://id.example/"}), UnknownIssuer),
        (json!({"iss": ["https://id.example"]}), UnknownIssuer),
        (json!({"exp": null}), MissingClaim),
        (json!({"exp": NOW_SECONDS}), Expired),
        (json!({"exp": NOW_SECONDS - 1}), Expired),
        (json!({"exp": 0}), Expired),
        (json!({"exp": -1}), Malformed),
        (json!({"exp": "1900000000"}), Malformed),
        (json!({"exp": [1_900_000_000]}), Malformed),
        (json!({"nbf": NOW_SECONDS + 1}), NotYetValid),
        (json!({"nbf": u64::MAX}), NotYetValid),
        (json!({"nbf": "soon"}), Malformed),
        (json!({"aud": null}), MissingClaim),
        (json!({"aud": ""}), WrongAudience),
        (json!({"aud": "Portal"}), WrongAudience),
        (json!({"aud": "portal "}), WrongAudience),
        (json!({"aud": []}), WrongAudience),
        (json!({"aud": ["other"]}), WrongAudience),
        (json!({"aud": [7, AUDIENCE]}), Malformed),
        (json!({"aud": {"portal": true}}), Malformed),
        (json!({"sub": null}), MissingClaim),
        (json!({"sub": ""}), Malformed),
        (json!({"sub": "ann\r\nx-admin: 1"}), Malformed),
        (json!({"sub": "ann\u{0}"}), Malformed),
        (json!({"sub": "ann\u{85}"}), Malformed),
        (json!({"sub": " admin"}), Malformed),
        (json!({"sub": "admin\u{a0}"}), Malformed),
        (json!({"sub": ["ann"]}), Malformed),
        (json!({"sub": 1.5}), Malformed),
        (json!({"sub": "a".repeat(1025)}), Malformed),
        // not access tokens
        (json!({"at_hash": "x"}), WrongAudience),
        (json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}), WrongAudience),
        (json!({"typ": "Refresh"}), WrongAudience),
        (json!({"typ": "ID"}), WrongAudience),
        (json!({"token_use": "id"}), WrongAudience),
    ] {
        assert_eq!(evaluated(&claims_with(&changes)).unwrap_err(), error, "{changes}");
    }
}

#[test]
fn leeway_applies_to_exp_and_nbf() {
    let mut issuer = issuer(KeySource::None);
    issuer.leeway = Duration::from_secs(10);
    let at = |changes: &Value, now| {
        evaluate(claims_with(changes).as_object().unwrap(), &issuer, ClaimsSource::Signature, now)
            .map(|u| u.expires_at)
    };
    let exp = json!({"exp": NOW_SECONDS});
    assert_eq!(at(&exp, NOW + secs(9)), Ok(NOW + secs(10)));
    assert_eq!(at(&exp, NOW + secs(10)), Err(TokenError::Expired));
    let nbf = json!({"nbf": NOW_SECONDS});
    assert!(at(&nbf, NOW - secs(10)).is_ok());
    assert_eq!(at(&nbf, NOW - secs(11)), Err(TokenError::NotYetValid));
}

#[test]
fn rejects_token_without_required_scopes() {
    let mut issuer = issuer(KeySource::None);
    issuer.required_scopes = vec!["apim:subscribe".to_owned(), "openid".to_owned()];
    for (changes, good) in [
        (json!({"scope": "openid apim:subscribe more"}), true),
        (json!({"scope": ["openid", "apim:subscribe"]}), true),
        (json!({"scp": "apim:subscribe openid"}), true),
        (json!({"scp": ["apim:subscribe", "openid"]}), true),
        (json!({"scope": "openid", "scp": ["apim:subscribe"]}), true),
        (json!({}), false),
        (json!({"scope": "openid"}), false),
        (json!({"scope": "openid,apim:subscribe"}), false),
        (json!({"scope": "openid apim:subscribe_more"}), false),
        (json!({"scopes": "openid apim:subscribe"}), false),
    ] {
        let answer =
            evaluate(claims_with(&changes).as_object().unwrap(), &issuer, ClaimsSource::Signature, NOW);
        match answer {
            Ok(_) => assert!(good, "{changes}"),
            Err(error) => {
                assert!(!good, "{changes}");
                assert_eq!(error, TokenError::MissingScope { required: issuer.required_scopes.clone() });
            }
        }
    }
}

#[test]
fn tenant_claim_must_be_exact() {
    let mut issuer = issuer(KeySource::None);
    issuer.user_tenant = UserTenant::Claim("org.domain".to_owned());
    for (changes, expected) in [
        (json!({"org": {"domain": "beta.com"}}), Ok("beta.com")),
        (json!({"org": {"domain": "Beta.com"}}), Err(TokenError::Malformed)),
        (json!({"org": {"domain": " beta.com"}}), Err(TokenError::Malformed)),
        (json!({"org": {"domain": "beta.com\t"}}), Err(TokenError::Malformed)),
        (json!({"org.domain": "gamma.com"}), Ok("gamma.com")),
        (json!({}), Err(TokenError::MissingClaim)),
        (json!({"org": "beta.com"}), Err(TokenError::MissingClaim)),
        (json!({"org": {"domain": "../acme"}}), Err(TokenError::Malformed)),
        (json!({"org": {"domain": ["acme.com"]}}), Err(TokenError::Malformed)),
        (json!({"org": {"domain": ""}}), Err(TokenError::Malformed)),
    ] {
        let answer =
            evaluate(claims_with(&changes).as_object().unwrap(), &issuer, ClaimsSource::Signature, NOW);
        assert_eq!(
            answer.map(|user| user.tenant.as_str().to_owned()),
            expected.map(str::to_owned),
            "{changes}"
        );
    }
}

/// WSO2 writes the tenant behind the name; a tenant administrator of acme.com is no administrator of carbon.super.
#[test]
fn tenant_behind_the_name_separates_users() {
    let mut issuer = issuer(KeySource::None);
    issuer.user_tenant = UserTenant::NameSuffix;
    for (sub, expected) in [
        ("admin@carbon.super", Ok("admin carbon.super")),
        ("admin@acme.com", Ok("admin acme.com")),
        ("ann@example.com@acme.com", Ok("ann@example.com acme.com")),
        ("PRIMARY/ann@acme.com", Ok("PRIMARY/ann acme.com")),
        ("admin", Err(TokenError::MissingClaim)),
        ("admin@", Err(TokenError::Malformed)),
        ("@acme.com", Err(TokenError::Malformed)),
        ("admin@Acme.com", Err(TokenError::Malformed)),
        ("admin @acme.com", Err(TokenError::Malformed)),
        ("admin@acme.com/../carbon.super", Err(TokenError::Malformed)),
    ] {
        let claims = claims_with(&json!({"sub": sub}));
        let user = evaluate(claims.as_object().unwrap(), &issuer, ClaimsSource::Signature, NOW);
        let user = user.map(|user| format!("{} {}", user.name, user.tenant));
        assert_eq!(user, expected.map(str::to_owned), "{sub}");
    }
}

#[test]
fn introspection_without_audiences_accepts_any() {
    let mut issuer = issuer(KeySource::None);
    issuer.audiences.clear();
    for (changes, is_accepted) in [
        (json!({"aud": "any"}), true),
        (json!({"aud": ["a", "b"], "exp": null, "nbf": null, "iss": null}), true),
        (json!({"aud": null}), true),
        (json!({"aud": 7}), false),
        (json!({"iss": "https://other"}), false),
    ] {
        let claims = claims_with(&changes);
        let user = evaluate(claims.as_object().unwrap(), &issuer, ClaimsSource::Introspection, NOW);
        assert_eq!(user.is_ok(), is_accepted, "{changes}");
    }
    let claims = claims_with(&json!({"aud": "any"}));
    let user = evaluate(claims.as_object().unwrap(), &issuer, ClaimsSource::Signature, NOW);
    assert_eq!(user.unwrap_err(), TokenError::WrongAudience, "a signed token names its audience");
}

#[test]
fn introspected_claims_may_be_missing_but_not_contradict() {
    let issuer = issuer(KeySource::None);
    let ask =
        |claims: &Value| evaluate(claims.as_object().unwrap(), &issuer, ClaimsSource::Introspection, NOW);
    let user = ask(&json!({"active": true, "username": "ann"})).unwrap();
    assert_eq!((user.name.as_str(), user.expires_at), ("ann", NOW + secs(300)));
    assert_eq!(ask(&json!({"username": "ann", "sub": "42"})).unwrap().name, "42");
    for (claims, error) in [
        (json!({"active": true}), TokenError::MissingClaim),
        (json!({"username": "ann", "iss": "https://other.example"}), TokenError::UnknownIssuer),
        (json!({"username": "ann", "aud": "other"}), TokenError::WrongAudience),
        (json!({"username": "ann", "exp": NOW_SECONDS}), TokenError::Expired),
        (json!({"username": "ann", "token_use": "refresh_token"}), TokenError::WrongAudience),
    ] {
        assert_eq!(ask(&claims).unwrap_err(), error, "{claims}");
    }
}

#[test]
fn rejects_every_token_if_no_audience_is_configured() {
    let mut issuer = issuer(KeySource::None);
    issuer.audiences.clear();
    let answer = evaluate(claims().as_object().unwrap(), &issuer, ClaimsSource::Signature, NOW);
    assert_eq!(answer.unwrap_err(), TokenError::WrongAudience);
}

proptest! {
    /// Every accepted name can be sent in a header and reads the same there.
    #[test]
    fn user_name_is_unchanged_by_a_header(name in any::<String>()) {
        if let Ok(user) = evaluated(&claims_with(&json!({"sub": name}))) {
            let header = http::HeaderValue::from_bytes(user.name.as_bytes()).unwrap();
            prop_assert_eq!(header.as_bytes().trim_ascii(), user.name.as_bytes());
        }
    }

    /// A moment is valid exactly while `nbf - leeway <= now < exp + leeway`.
    #[test]
    fn accepts_token_exactly_within_nbf_and_exp(nbf in 0_u64..100, exp in 0_u64..100, leeway in 0_u64..20, now in 0_u64..130) {
        let mut issuer = issuer(KeySource::None);
        issuer.leeway = Duration::from_secs(leeway);
        let claims = claims_with(&json!({"nbf": nbf, "exp": exp}));
        let answer = evaluate(claims.as_object().unwrap(), &issuer, ClaimsSource::Signature, Timestamp::from_seconds(now));
        prop_assert_eq!(answer.is_ok(), now + leeway >= nbf && now < exp + leeway);
    }
}
