//! The owner of the `Authorization` header: `access.authorization`.

use serde_json::json;

use crate::support::{Idp, Portal, TestAccounts, TestProxy, jwt::base64url, proxy::TestProxyBuilder};

/// Credentials that a portal may have of its own.
const PORTALS_OWN: [&str; 6] =
    ["Basic YWxleDpzM2NyZXQ=", "token abc", "ApiKey abc", "Bearer app-token", "Bearer a.b.c", ""];

struct Fixture {
    portal: Portal,
    idp: Idp,
    proxy: TestProxy,
    session: String,
}

impl Fixture {
    fn new(adapt: impl FnOnce(TestProxyBuilder) -> TestProxyBuilder) -> Self {
        let (portal, idp) = (Portal::answering("portal").start(), Idp::start());
        let builder = TestProxy::in_front_of(&portal).generic(&[]).issuer(&idp);
        let proxy = adapt(builder.accounts().lockout(5)).start();
        let session = TestAccounts::of(&proxy).session_of("carbon.super", "alex");
        Self { portal, idp, proxy, session }
    }

    /// The status, and the header and the user that the portal got.
    fn send(&self, authorization: &str, session: Option<&str>) -> (u16, Option<String>, Option<String>) {
        let mut request = self.proxy.get("/page").api_client().header("authorization", authorization);
        if let Some(session) = session {
            request = request.cookie("doorward_session", session);
        }
        self.portal.clear_received();
        let status = request.send().status;
        if self.portal.received_nothing() {
            return (status, None, None);
        }
        let received = self.portal.only_request();
        let header = |name| received.header(name).map(str::to_owned);
        (status, header("authorization"), header("x-forwarded-user"))
    }
}

#[test]
fn portals_own_credentials_do_not_undo_a_session() {
    for owner in ["auto", "portal"] {
        let fixture = Fixture::new(|proxy| proxy.anonymous(false).setting("access.authorization", owner));
        for authorization in PORTALS_OWN {
            let forwarded = (200, Some(authorization.to_owned()), Some("alex".to_owned()));
            assert_eq!(
                fixture.send(authorization, Some(&fixture.session)),
                forwarded,
                "{owner} {authorization}"
            );
            assert_eq!(fixture.send(authorization, None), (401, None, None), "{owner} {authorization}");
        }
    }
}

#[test]
fn portals_own_credentials_do_not_undo_anonymous_access() {
    let fixture = Fixture::new(|proxy| proxy.anonymous(true));
    for authorization in PORTALS_OWN {
        assert_eq!(fixture.send(authorization, None), (200, Some(authorization.to_owned()), None));
    }
}

#[test]
fn tokens_of_configured_issuers_stay_doorwards() {
    let fixture = Fixture::new(|proxy| proxy.anonymous(true));
    let good = fixture.idp.token().sign();
    assert_eq!(fixture.send(&format!("Bearer {good}"), None), (200, None, Some("ann".to_owned())));
    for (name, token) in [
        ("expired", fixture.idp.token().expired().sign()),
        ("another signature", format!("{}A", &good[..good.len() - 1])),
    ] {
        assert_eq!(
            fixture.send(&format!("Bearer {token}"), Some(&fixture.session)),
            (401, None, None),
            "{name}"
        );
    }
}

/// A portal that accepts unsigned tokens must not get one that names an issuer which Doorward verifies.
#[test]
fn attack_unverified_token_of_a_configured_issuer() {
    let fixture = Fixture::new(|proxy| proxy.anonymous(true));
    let token = fixture.idp.token();
    let signed = token.sign();
    let twice =
        base64url(format!(r#"{{"iss":"https://other.test","iss":"{}"}}"#, fixture.idp.issuer()).as_bytes());
    let (head, signature) = (signed.split_once('.').unwrap().0, signed.rsplit_once('.').unwrap().1);
    let payload =
        base64url(format!("{{\"x\":\"\u{3ff}>?\",\"iss\":\"{}\"}}", fixture.idp.issuer()).as_bytes());
    assert!(payload.contains('-'), "the other alphabet has `+` there");
    for token in [
        token.unsigned(),
        token.hmac_with_the_public_key(),
        format!("{head}.{twice}.{signature}"),
        // read by `token.split('.')[1]`
        format!("{head}.{payload}"),
        format!("{head}.{payload}.x.y"),
        format!("{head}.{payload}=.{signature}"),
        format!("{head}.{}.{signature}", payload.replace('_', "/").replace('-', "+")),
        format!(".{payload}."),
    ] {
        assert_eq!(fixture.send(&format!("Bearer {token}"), None), (401, None, None), "{token}");
    }
}

#[test]
fn doorwards_header_refuses_other_credentials() {
    let fixture = Fixture::new(|proxy| proxy.anonymous(true).setting("access.authorization", "doorward"));
    for authorization in PORTALS_OWN {
        assert_eq!(fixture.send(authorization, Some(&fixture.session)), (401, None, None), "{authorization}");
    }
}

#[test]
fn portal_header_authenticates_no_request() {
    let fixture = Fixture::new(|proxy| proxy.anonymous(false).setting("access.authorization", "portal"));
    let token = format!("Bearer {}", fixture.idp.token().sign());
    assert_eq!(fixture.send(&token, None), (401, None, None));
    assert_eq!(fixture.send(&token, Some(&fixture.session)), (200, Some(token), Some("alex".to_owned())));
}

#[test]
fn tenant_file_sets_the_owner_of_the_header() {
    let fixture = Fixture::new(|proxy| {
        proxy
            .setting("tenancy.hosts", json!({"acme.test": "acme.com"}))
            .tenant("acme.com", &json!({"Doorward": {"authorization": "doorward"}}))
    });
    let status = |host: &str| {
        fixture.proxy.get("/").host(host).api_client().header("authorization", "Basic x").send().status
    };
    assert_eq!((status("acme.test"), status("localhost")), (401, 200));
}
