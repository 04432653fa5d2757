//! Keys and introspection of issuers: fetched once, rotated, unavailable, or chosen by an attacker.

use serde_json::json;

use super::tokens::{APIS, status};
use crate::support::{Idp, Portal, TestProxy, configuration, eventually, jwt::base64url, keys::SigningKey};

#[test]
fn every_family_of_keys_is_accepted() {
    for key in [SigningKey::rsa("k", 0), SigningKey::ec("k"), SigningKey::ed25519("k")] {
        let (portal, algorithm) = (Portal::answering("").start(), key.algorithm);
        let idp = Idp::signing_with(key);
        let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).start();
        assert_eq!(status(&proxy, &idp.token().sign()), 200, "{algorithm:?}");
    }
}

#[test]
fn rotated_key_is_fetched_once_for_parallel_requests() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).start();
    assert_eq!(status(&proxy, &idp.token().sign()), 200);
    let before = idp.request_count("/jwks");
    idp.rotate(SigningKey::ec("second"));
    let token = idp.token().sign();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(status(&proxy, &token), 200));
        }
    });
    assert_eq!(idp.request_count("/jwks"), before + 1);
}

#[test]
fn attack_unknown_key_ids_flood_the_issuer() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).start();
    eventually(|| proxy.admin("/readyz").status == 200);
    let before = idp.request_count("/jwks");
    for n in 0..50 {
        let token = idp.token().kid(Some(&format!("made-up-{n}"))).signed_by(&SigningKey::rsa("x", 1));
        assert_eq!(status(&proxy, &token.kid(Some(&format!("made-up-{n}"))).sign()), 401);
    }
    assert!(idp.request_count("/jwks") <= before + 1, "{} fetches", idp.request_count("/jwks") - before);
}

#[test]
fn known_keys_serve_while_the_issuer_is_down() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).start();
    eventually(|| proxy.admin("/readyz").status == 200);
    idp.set_down(true);
    assert_eq!(status(&proxy, &idp.token().subject("bob").sign()), 200);
    let unknown = idp.token().signed_by(&SigningKey::rsa("x", 1)).kid(Some("unknown")).sign();
    assert!(matches!(status(&proxy, &unknown), 401 | 503), "never let in");
}

#[test]
fn token_is_not_ignored_while_keys_are_missing() {
    let (portal, idp) = (Portal::answering("[]").start(), Idp::start());
    idp.set_down(true);
    let proxy = TestProxy::in_front_of(&portal).anonymous(true).issuer(&idp).start();
    assert_eq!(status(&proxy, &idp.token().sign()), 503);
    assert!(portal.received_nothing());
    assert_ne!(proxy.admin("/readyz").status, 200, "not ready without keys");
    idp.set_down(false);
    eventually(|| status(&proxy, &idp.token().sign()) == 200);
}

#[test]
fn introspection_result_is_cached_also_if_negative() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).introspecting(&idp).start();
    let good = idp.opaque("ann");
    for _ in 0..3 {
        assert_eq!(status(&proxy, &good), 200);
    }
    assert_eq!(idp.request_count("/introspect"), 1);
    for _ in 0..3 {
        assert_eq!(status(&proxy, "made-up"), 401);
    }
    assert_eq!(idp.request_count("/introspect"), 2);
}

#[test]
fn attack_cached_introspection_of_another_tenant() {
    let (portal, strict, lax) = (Portal::answering("").start(), Idp::start(), Idp::start());
    let of = |idp: &Idp| json!({"EnableAnonymous": false, "Doorward": {"issuers": [configuration::introspecting_issuer(idp)]}});
    let proxy = TestProxy::in_front_of(&portal)
        .tenant("strict.com", &of(&strict))
        .tenant("lax.com", &of(&lax))
        .start();
    let token = lax.opaque("ann");
    let at = |tenant: &str| proxy.get(APIS).tenant(tenant).bearer(&token).api_client().send().status;
    assert_eq!([at("lax.com"), at("strict.com"), at("lax.com"), at("strict.com")], [200, 401, 200, 401]);
}

#[test]
fn key_file_is_reloaded_when_it_changes() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, idp.key_set().to_string()).unwrap();
    let issuer =
        json!({"issuer": idp.issuer(), "audiences": ["portal"], "jwks_file": file.display().to_string()});
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).setting("issuer", json!([issuer])).start();
    assert_eq!(status(&proxy, &idp.token().sign()), 200);
    idp.rotate(SigningKey::ec("second"));
    std::fs::write(&file, idp.key_set().to_string()).unwrap();
    eventually(|| status(&proxy, &idp.token().sign()) == 200);
    assert_eq!(idp.request_count("/jwks"), 0);
}

/// A tenant's file names an introspection endpoint; a user who follows a link to that tenant's address sends the cookie
/// of the whole portal along.
#[test]
fn attack_tenant_introspection_receives_the_portals_cookie() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let greedy = json!({"Doorward": {"issuers": [configuration::introspecting_issuer(&idp)]}});
    let proxy = TestProxy::in_front_of(&portal)
        .setting("access.token_cookie", "SID")
        .tenant("evil.com", &greedy)
        .start();
    let answer =
        proxy.get("/devportal/apis?tenant=evil.com").cookie("SID", "victims-session").browser().send();
    assert_eq!((answer.status, idp.request_count("/introspect")), (200, 0));
}

/// Any client can make a token with such a key.
#[test]
fn attack_eddsa_key_of_small_order_in_a_key_set() {
    let (portal, idp) = (Portal::answering("secret").start(), Idp::start());
    let point = |low: u8, rest: u8, high: u8| {
        let mut point = [rest; 32];
        (point[0], point[31]) = (low, high);
        point
    };
    let identity = point(1, 0, 0);
    for (what, key) in [
        ("the identity", identity),
        ("the identity with a sign", point(1, 0, 0x80)),
        ("order 2", point(0xec, 0xff, 0x7f)),
        ("order 4", point(0, 0, 0)),
        ("not canonical", point(0xee, 0xff, 0x7f)),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let jwk =
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "weak", "alg": "EdDSA", "x": base64url(&key)});
        std::fs::write(file.path(), json!({"keys": [jwk]}).to_string()).unwrap();
        let mut issuer = configuration::issuer(&idp);
        issuer.as_object_mut().unwrap().remove("jwks_url");
        issuer["jwks_file"] = json!(file.path());
        let proxy =
            TestProxy::in_front_of(&portal).anonymous(false).setting("issuer", json!([issuer])).start();
        // R is the identity and S is zero: valid for every message under a key that is the identity
        let forged = idp.token().forged("EdDSA", "weak", &[&identity[..], &[0; 32]].concat());
        assert_eq!(status(&proxy, &forged), 401, "{what}");
    }
    assert!(portal.received_nothing());
}
