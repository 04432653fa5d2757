//! Tokens that should not count. Advisories: CVE-2022-29226, GHSA-wcvh-g65p-v576, CVE-2024-47616, CVE-2021-32701,
//! GHSA-4mq7-pvjg-xp2r, CVE-2026-25748, CVE-2023-28625, CVE-2024-24814, GHSA-pm7g-w2cf-q238, CVE-2026-4634.

use std::time::Duration;

use doorward::internals::clock::Clock;
use serde_json::json;

use crate::support::{
    Idp, Portal, TestProxy, configuration, eventually,
    jwt::{base64url, now},
    keys::SigningKey,
};

pub(super) const APIS: &str = "/api/am/devportal/v3/apis";

pub(super) fn status(proxy: &TestProxy, token: &str) -> u16 {
    proxy.get(APIS).bearer(token).api_client().send().status
}

#[test]
fn attack_tokens_that_are_forged_or_meant_for_others() {
    let (portal, idp, other) =
        (Portal::answering("").start(), Idp::start(), Idp::signing_with(SigningKey::ec("first")));
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).start();
    let good = idp.token();
    let eve = SigningKey::rsa("first", 1);
    for (attack, token) in [
        ("no signature", good.unsigned()),
        ("HMAC with the public key", good.clone().hmac_with_the_public_key()),
        ("claims swapped", good.with_claims_swapped_after_signing("sub", "admin")),
        ("another key of the same name", good.clone().signed_by(&eve).sign()),
        ("another key, brought along", good.clone().signed_by(&eve).embedding_its_own_key().sign()),
        ("another key under no name", good.clone().signed_by(&eve).kid(None).sign()),
        ("a key name that is a path", good.clone().kid(Some("../../etc/passwd")).sign()),
        ("another issuer", other.token().sign()),
        ("another issuer's name", good.clone().claim("iss", other.issuer()).sign()),
        ("issuer with a slash more", good.clone().claim("iss", idp.issuer() + "/").sign()),
        ("no issuer", good.clone().without("iss").sign()),
        ("another audience", good.clone().claim("aud", "another").sign()),
        ("audience as a part", good.clone().claim("aud", "portal2").sign()),
        ("no audience", good.clone().without("aud").sign()),
        ("no audience in the list", good.clone().claim("aud", json!([])).sign()),
        ("no expiry", good.clone().without("exp").sign()),
        ("expired", good.clone().expired().sign()),
        ("expiry as text", good.clone().claim("exp", "never").sign()),
        ("negative expiry", good.clone().claim("exp", -1).sign()),
        ("not valid yet", good.clone().claim("nbf", now() + 3600).sign()),
        ("no subject", good.clone().without("sub").sign()),
        ("a line break in the subject", good.clone().subject("a\r\nremote-user: admin").sign()),
        ("a part too many", format!("{}.x", good.sign())),
        ("a part too few", good.sign().rsplit_once('.').unwrap().0.to_owned()),
        ("five parts, as an encrypted one", "a.b.c.d.e".to_owned()),
        (
            "an encrypted header",
            format!("{}.a.b.c.d", base64url(br#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#)),
        ),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("opaque", "f3b2a1".to_owned()),
    ] {
        assert_eq!(status(&proxy, &token), 401, "{attack}");
    }
    assert!(portal.received_nothing());
    assert_eq!(
        status(&proxy, &good.sign()),
        200,
        "the good one, so that the others were refused for their reason"
    );
}

#[test]
fn attack_a_token_in_an_odd_place() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).start();
    let token = idp.token().sign();
    let get = |target: &str| proxy.get(target).api_client();
    for (place, ask) in [
        ("twice", get(APIS).bearer(&token).bearer(&token)),
        (
            "twice in one header",
            get(APIS).header("authorization", &format!("Bearer {token}, Bearer {token}")),
        ),
        ("after a second scheme", get(APIS).header("authorization", &format!("Basic eDp5, Bearer {token}"))),
        ("without a scheme", get(APIS).header("authorization", &token)),
        ("in the query", get(&format!("{APIS}?access_token={token}"))),
        ("in a header of its own", get(APIS).header("x-access-token", &token)),
        ("as basic", get(APIS).header("authorization", &format!("Basic {token}"))),
    ] {
        let status = ask.send().status;
        assert!(matches!(status, 400 | 401), "{place}: {status}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn attack_token_over_the_length_limit() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal)
        .anonymous(false)
        .issuer(&idp)
        .setting("limits.max_token_bytes", 1024)
        .start();
    let long = idp.token().claim("filler", "x".repeat(2000)).sign();
    assert!(matches!(status(&proxy, &long), 400 | 401 | 431));
    assert!(portal.received_nothing());
}

#[test]
fn a_missing_scope_is_403_and_names_the_scope() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let mut issuer = configuration::issuer(&idp);
    issuer["required_scopes"] = json!(["apim:subscribe"]);
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).setting("issuer", json!([issuer])).start();
    let answer = proxy.get(APIS).bearer(&idp.token().scope("openid").sign()).api_client().send();
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert_eq!(answer.status, 403);
    assert!(challenge.contains("insufficient_scope") && challenge.contains("apim:subscribe"), "{challenge}");
    assert_eq!(status(&proxy, &idp.token().scope("openid apim:subscribe").sign()), 200);
}

#[test]
fn cached_token_ends_with_its_expiry_or_a_policy_change() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let mut issuer = configuration::issuer(&idp);
    issuer["leeway"] = json!("0s");
    let clock = Clock::adjustable(Clock::system().now());
    let mut proxy = TestProxy::in_front_of(&portal)
        .anonymous(false)
        .setting("issuer", json!([issuer]))
        .clock(&clock)
        .start();
    let short = idp.token().expires_in(60).sign();
    assert_eq!(status(&proxy, &short), 200);
    clock.advance(Duration::from_mins(1));
    assert_eq!(status(&proxy, &short), 401);
    let long = idp.token().sign();
    assert_eq!(status(&proxy, &long), 200);
    issuer["audiences"] = json!(["another-audience"]);
    proxy.edit_deployment("issuer", json!([issuer]));
    eventually(|| status(&proxy, &long) == 401);
}

#[test]
fn split_token_needs_both_halves() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).start();
    let token = idp.token().sign();
    let (first, second) = token.split_at(token.len() / 2);
    let p2 = "AM_ACC_TOKEN_DEFAULT_P2";
    assert_eq!(proxy.get(APIS).bearer(first).cookie(p2, second).api_client().send().status, 200);
    assert_eq!(
        portal.only_request().header("authorization"),
        Some(&*format!("Bearer {first}")),
        "the portal joins them itself"
    );
    for ask in [
        proxy.get(APIS).bearer(first),
        proxy.get(APIS).cookie(p2, second),
        proxy.get(APIS).bearer(second).cookie(p2, first),
        proxy.get(APIS).bearer(first).cookie(p2, second).cookie(p2, "x"),
    ] {
        let status = ask.api_client().send().status;
        assert!(matches!(status, 400 | 401), "{status}");
    }
}

#[test]
fn attack_a_cookie_header_made_of_nonsense() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    let many = "a=1; ".repeat(2000);
    for cookie in [
        "",
        "=",
        ";",
        "=;=;=",
        "a",
        "a=\u{e4}",
        "__Host-doorward=1",
        "__Host-doorward_1=99999999",
        many.as_str(),
    ] {
        let status = proxy.get(APIS).header("cookie", cookie).api_client().send().status;
        assert!(matches!(status, 400 | 401 | 431), "{cookie:.30}: {status}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn a_websocket_ends_when_its_token_does() {
    let (portal, idp) = (Portal::replying(crate::support::Reply::upgrade_echo()).start(), Idp::start());
    let mut issuer = configuration::issuer(&idp);
    issuer["leeway"] = json!("0s");
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "signed-in")])
        .setting("issuer", json!([issuer]))
        .start();
    let origin = format!("http://{}", proxy.authority());
    let ask = proxy.get("/ws").bearer(&idp.token().expires_in(2).sign()).header("origin", &origin);
    let (head, mut wire) = ask.upgrade();
    assert!(head.first.contains("101"), "{}", head.first);
    assert_eq!(wire.write("ping").bytes(4), b"ping");
    wire.rest();
}

/// The issuer lets any user register an organisation, also one whose name looks like another tenant's.
#[test]
fn attack_tenant_claim_that_looks_like_another_tenant() {
    let (portal, idp) = (Portal::answering("secret").start(), Idp::start());
    let mut issuer = configuration::issuer(&idp);
    issuer["tenant_claim"] = json!("org");
    let closed = json!({"EnableAnonymous": false});
    let proxy = TestProxy::in_front_of(&portal)
        .anonymous(false)
        .setting("issuer", json!([issuer]))
        .tenant("closed.com", &closed)
        .start();
    let ask = |tenant: &str, claim: &serde_json::Value| {
        let token = idp.token().claim("org", claim.clone()).sign();
        proxy.get(APIS).tenant(tenant).bearer(&token).api_client().send().status
    };
    for (tenant, claims) in [
        (
            "closed.com",
            &[
                "CLOSED.com",
                "Closed.com",
                "closed.com ",
                " closed.com",
                "\tclosed.com",
                "closed.com\t",
                "closed.com.",
            ][..],
        ),
        ("carbon.super", &["Carbon.Super", "Carbon.Super ", "carbon.super\n", "carbon.super\u{0}"]),
    ] {
        for claim in claims {
            assert_eq!(ask(tenant, &json!(claim)), 401, "{claim:?}");
        }
        assert_eq!(ask(tenant, &json!(tenant)), 200, "the exact name");
    }
    for claim in [json!(["closed.com"]), json!({"closed.com": 1}), json!(null), json!("")] {
        assert_eq!(ask("closed.com", &claim), 401, "{claim}");
    }
}

/// Whichever token the portal reads first, it is the one that was verified.
#[test]
fn attack_unverified_token_in_a_cookie_beside_a_valid_header() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).issuer(&idp).setting("access.token_cookie", "SID").start();
    let (good, bad) = (idp.token().sign(), idp.token().subject("admin").expired().sign());
    let (first, second) = bad.split_at(bad.len() / 2);
    let (good_first, good_second) = good.split_at(good.len() / 2);
    let halves = |first: &str, second: &str| {
        format!("WSO2_AM_TOKEN_1_Default={first}; AM_ACC_TOKEN_DEFAULT_P2={second}")
    };
    let sid = |token: &str| format!("SID={token}");
    for (what, bearer, cookie, forwarded) in [
        ("cookie with a whole token", Some(good.as_str()), sid(&bad), None),
        ("cookie without a name", Some(&good), format!("={}", sid(&bad)), None),
        ("a valid one of another user", Some(&good), sid(&idp.token().subject("admin").sign()), None),
        ("two halves", Some(&good), halves(first, second), None),
        ("second half", Some(&good), format!("AM_ACC_TOKEN_DEFAULT_P2={second}"), None),
        (
            "halves beside a cookie that counts",
            None,
            format!("{}; {}", sid(&good), halves(first, second)),
            Some(sid(&good)),
        ),
        (
            "header and half that make the token",
            Some(good_first),
            halves(good_first, good_second),
            Some(halves(good_first, good_second)),
        ),
        (
            "another first half",
            Some(good_first),
            halves(first, good_second),
            Some(format!("AM_ACC_TOKEN_DEFAULT_P2={good_second}")),
        ),
    ] {
        portal.clear_received();
        let ask = proxy.get(APIS).api_client().header("cookie", &format!("a=1; {cookie}"));
        let answer = match bearer {
            Some(token) => ask.bearer(token),
            None => ask,
        }
        .send();
        assert_eq!(answer.status, 200, "{what}");
        let expected = forwarded.map_or_else(|| "a=1".to_owned(), |retained| format!("a=1; {retained}"));
        assert_eq!(portal.only_request().header("cookie"), Some(expected.as_str()), "{what}");
    }
}
