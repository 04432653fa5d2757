//! Identity by a session of ours: it counts like a token, and ends with the session.

use std::time::Duration;

use doorward::internals::{
    clock::Clock,
    session::{CookieSecret, csrf},
};
use serde_json::json;

use crate::support::{
    Idp, Portal, Reply, TestAccounts, TestProxy, eventually, proxy::TestProxyBuilder,
    request::RequestBuilder, wire::Wire,
};

pub(super) const PAGE: &str = "/devportal/apis";
pub(super) const COOKIE: &str = "doorward_session";

/// A proxy with accounts, whose tenants have anonymous mode off.
pub(super) fn closed(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal)
        .accounts()
        .lockout(5)
        .anonymous(false)
        .tenant("acme.com", &json!({}))
        .tenant("beta.com", &json!({}))
}

fn page(proxy: &TestProxy, session: &str) -> RequestBuilder<'static> {
    proxy.get(PAGE).tenant("acme.com").browser().cookie(COOKIE, session)
}

#[test]
fn session_authenticates_and_forwards_the_user() {
    let portal = Portal::answering("apis").start();
    let proxy = closed(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    assert_eq!(proxy.get(PAGE).tenant("acme.com").browser().send().status, 302, "anonymous");
    let answer = proxy
        .get(PAGE)
        .tenant("acme.com")
        .browser()
        .header("cookie", &format!("a=1; {COOKIE}={session}; doorward_device=x; b=2"))
        .send();
    assert_eq!(answer.text(), "apis");
    let received = portal.only_request();
    assert_eq!(received.header("x-wso2-username"), Some("alex@acme.com"));
    assert_eq!(received.header("cookie"), Some("a=1; b=2"), "our cookies are ours");
    assert!(!format!("{received:?}").contains(&session));
    for other in [&session[1..], "", "x", &session.to_lowercase()] {
        assert_eq!(page(&proxy, other).send().status, 302, "{other}");
    }
}

#[test]
fn over_https_only_the_host_cookie_is_accepted() {
    let portal = Portal::answering("apis").start();
    let proxy = closed(&portal).tls().start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let ask = |name: &str| {
        proxy
            .get(PAGE)
            .tls()
            .host("localhost")
            .tenant("acme.com")
            .browser()
            .cookie(name, &session)
            .send()
            .status
    };
    assert_eq!((ask("__Host-doorward"), ask(COOKIE)), (200, 302));
}

/// The proxy in front ends TLS and is not listed; `public_url` says what browsers use.
#[test]
fn host_cookies_are_used_behind_a_tls_proxy() {
    let portal = Portal::answering("apis").start();
    let proxy = closed(&portal).setting("server.public_url", "https://portal.test").start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let ask = |host: &str, name: &str| {
        proxy.get(PAGE).host(host).tenant("acme.com").browser().cookie(name, &session).send()
    };
    for host in ["portal.test", "acme.portal.test"] {
        let statuses = ["__Host-doorward", COOKIE].map(|name| ask(host, name).status);
        assert_eq!(statuses, [200, 302], "{host}");
        assert_eq!(portal.last_request().header("x-forwarded-proto"), Some("https"));
        let token = csrf::token(&CookieSecret::parse(&session).unwrap(), "sign-out");
        let out = proxy
            .post("/.doorward/sign-out?tenant=acme.com")
            .host(host)
            .browser()
            .header("origin", &format!("https://{host}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .cookie(COOKIE, &session)
            .body(format!("csrf={token}"))
            .send();
        assert_ne!(out.status, 303, "the unencrypted name matches no account");
    }
    let out = ask("portal.test", "x");
    for cookie in out.all("set-cookie") {
        assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
    }
}

#[test]
fn attack_cookie_tossing_with_two_sessions() {
    let portal = Portal::answering("apis").start();
    let proxy = closed(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let alex = accounts.add_without_password("acme.com", "alex");
    let (mine, theirs) = (accounts.session(&alex), accounts.session(&alex));
    let both = page(&proxy, &mine).cookie(COOKIE, &theirs).send();
    assert_eq!((both.status, portal.received_nothing()), (302, true));
}

#[test]
fn token_takes_precedence_over_a_session() {
    let portal = Portal::answering("apis").start();
    let idp = Idp::start();
    let proxy = closed(&portal).issuer(&idp).setting("access.identity_headers", "oauth2-proxy").start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("carbon.super", "alex");
    let user = || portal.last_request().header("x-forwarded-user").map(str::to_owned);
    let ask = || proxy.get(PAGE).tenant("carbon.super").browser().cookie(COOKIE, &session);
    assert_eq!(ask().send().status, 200);
    assert_eq!(user().as_deref(), Some("alex"));
    let token = idp.token().subject("toni").sign();
    assert_eq!(ask().bearer(&token).send().status, 200);
    assert_eq!(user().as_deref(), Some("toni"));
    // an invalid token: an API client gets 401; a browser counts as anonymous, and the portal does not receive the token
    let dead = idp.token().expired().sign();
    let program = proxy.get("/api/am/devportal/v3/applications").api_client().cookie(COOKIE, &session);
    assert_eq!(program.bearer(&dead).send().status, 401);
    assert_eq!(ask().bearer(&dead).send().status, 200);
    assert_eq!(
        (user().as_deref(), portal.last_request().header("authorization").map(str::to_owned)),
        (Some("alex"), None)
    );
}

#[test]
fn session_of_another_tenant_is_anonymous_unless_allowed() {
    let portal = Portal::answering("apis").start();
    let proxy =
        closed(&portal).tenant("open.com", &json!({"Doorward": {"cross_tenant": ["acme.com"]}})).start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let status =
        |tenant: &str| proxy.get(PAGE).tenant(tenant).browser().cookie(COOKIE, &session).send().status;
    assert_eq!(["acme.com", "beta.com", "open.com"].map(status), [200, 302, 200]);
    // a request that names no tenant is for the one the session is of
    let answer = proxy.get("/api/am/devportal/v3/applications").xhr().cookie(COOKIE, &session).send();
    assert_eq!((answer.status, portal.last_request().header("x-wso2-tenant")), (200, Some("acme.com")));
}

/// Attack: a user of acme.com has the e-mail address that the identity headers use for a user of beta.com, and is taken for that user.
#[test]
fn attack_local_name_like_a_cross_tenant_user() {
    let portal = Portal::answering("apis").start();
    for (profile, header) in
        [("authelia", "remote-user"), ("oauth2-proxy", "x-forwarded-user"), ("wso2", "x-wso2-username")]
    {
        let proxy = closed(&portal)
            .setting("access.identity_headers", profile)
            .setting("access.cross_tenant", json!(["beta.com"]))
            .start();
        let accounts = TestAccounts::of(&proxy);
        let mut recorded = Vec::new();
        for (tenant, name) in [
            ("acme.com", "bob@beta.com"),
            ("beta.com", "bob"),
            ("acme.com", "bob@beta.com@acme.com"),
            ("beta.com", "bob@acme.com"),
            ("acme.com", "bob"),
        ] {
            let session = accounts.session_of(tenant, name);
            assert_eq!(page(&proxy, &session).send().status, 200);
            recorded.push(portal.last_request().header(header).map(str::to_owned));
        }
        recorded.sort();
        recorded.dedup();
        assert_eq!(recorded.len(), 5, "{profile}: {recorded:?}");
    }
}

#[test]
fn attack_cross_site_request_forgery_with_a_session() {
    let portal = Portal::answering("done").start();
    let proxy = closed(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let own = format!("http://{}", proxy.authority());
    let post = |headers: &[(&str, &str)]| {
        let target = "/api/am/devportal/v3/applications";
        let ask = proxy.post(target).tenant("acme.com").cookie(COOKIE, &session);
        headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().status
    };
    for forged in [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "same-site"), ("origin", "https://blog.example.com")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[],
    ] {
        assert_eq!((post(forged), portal.received_nothing()), (401, true), "{forged:?}");
    }
    assert_eq!(post(&[("sec-fetch-site", "same-origin")]), 200);
    assert_eq!(post(&[("origin", &own)]), 200);
}

#[test]
fn settings_response_reflects_anonymous_mode_for_sessions() {
    let settings = Reply::json(&json!({"IsAnonymousModeEnabled": true}));
    let portal = Portal::answering("").route("/api/am/devportal/v3/settings", settings).start();
    let proxy = closed(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let answer =
        proxy.get("/api/am/devportal/v3/settings").tenant("acme.com").xhr().cookie(COOKIE, &session).send();
    assert_eq!(answer.json(), json!({"IsAnonymousModeEnabled": false}));
}

/// Two Doorwards over one store.
struct TwoReplicas {
    here: TestProxy,
    there: TestProxy,
    accounts: TestAccounts,
}

impl TwoReplicas {
    fn before(portal: &Portal) -> Self {
        let here = closed(portal).start();
        let there = TestProxy::in_front_of(portal)
            .accounts_in(here.folder())
            .anonymous(false)
            .tenant("acme.com", &json!({}));
        let accounts = TestAccounts::of(&here);
        Self { there: there.start(), here, accounts }
    }

    /// As a browser does it, at the second.
    fn sign_out_there(&self, session: &str) {
        let token = csrf::token(&CookieSecret::parse(session).unwrap(), "sign-out");
        let answer = self
            .there
            .post("/.doorward/sign-out?tenant=acme.com")
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .cookie(COOKIE, session)
            .body(format!("csrf={token}"))
            .send();
        assert_eq!(answer.status, 303, "{}", answer.text());
    }

    /// A WebSocket at the first that has answered once.
    fn socket(&self, session: &str) -> Wire {
        let (head, mut wire) =
            self.here.get("/devportal/ws").tenant("acme.com").cookie(COOKIE, session).upgrade();
        assert!(head.first.contains("101"), "{}", head.first);
        assert_eq!(wire.write("ping").bytes(4), b"ping");
        wire
    }
}

fn sockets() -> Portal {
    Portal::answering("apis").route("/devportal/ws", Reply::upgrade_echo()).start()
}

#[test]
fn sign_out_closes_websockets_at_every_replica() {
    let portal = sockets();
    let pair = TwoReplicas::before(&portal);
    let alex = pair.accounts.add_without_password("acme.com", "alex");
    let (ending, other) = (pair.accounts.session(&alex), pair.accounts.session(&alex));
    for proxy in [&pair.here, &pair.there] {
        assert_eq!(page(proxy, &ending).send().status, 200, "remembered by both");
    }
    let (mut first, mut second) = (pair.socket(&ending), pair.socket(&ending));
    let mut stays = pair.socket(&other);
    pair.sign_out_there(&ending);
    assert!(first.rest().is_empty() && second.rest().is_empty(), "closed");
    for proxy in [&pair.here, &pair.there] {
        eventually(|| page(proxy, &ending).send().status == 302);
    }
    assert_eq!(stays.write("pong").bytes(4), b"pong");
    // as a command beside them does
    pair.accounts.end_session(&other);
    assert!(stays.rest().is_empty(), "closed");
}

#[test]
fn disabling_an_account_ends_its_sessions_at_once() {
    let portal = sockets();
    let pair = TwoReplicas::before(&portal);
    let alex = pair.accounts.add_without_password("acme.com", "alex");
    let session = pair.accounts.session(&alex);
    assert_eq!(page(&pair.there, &session).send().status, 200);
    let mut socket = pair.socket(&session);
    pair.accounts.disable(&alex);
    assert!(socket.rest().is_empty(), "closed");
    eventually(|| page(&pair.there, &session).send().status == 302);
}

#[test]
fn session_ends_with_its_lifetime_or_its_idle_timeout() {
    let (portal, clock) = (Portal::answering("").start(), Clock::adjustable(Clock::system().now()));
    let proxy = closed(&portal).clock(&clock).start();
    let accounts = TestAccounts::of(&proxy);
    let alex = accounts.add_without_password("acme.com", "alex");
    let idle = Duration::from_mins(30);
    let [busy, silent] = [1, 8].map(|hours| accounts.session_with(&alex, Duration::from_hours(hours), idle));
    let statuses = [29, 29, 29].map(|minutes| {
        clock.advance(Duration::from_mins(minutes));
        page(&proxy, &busy).send().status
    });
    assert_eq!(statuses, [200, 200, 302], "the third use is after the lifetime");
    assert_eq!(page(&proxy, &silent).send().status, 302);
}

#[test]
fn websockets_end_with_session_lifetime_and_idle_timeout() {
    let portal = sockets();
    let pair = TwoReplicas::before(&portal);
    let alex = pair.accounts.add_without_password("acme.com", "alex");
    let (long, short) = (Duration::from_hours(1), Duration::from_millis(1500));
    for (lifetime, idle) in [(short, long), (long, short)] {
        let session = pair.accounts.session_with(&alex, lifetime, idle);
        let mut socket = pair.socket(&session);
        assert!(socket.rest().is_empty(), "closed: {lifetime:?} {idle:?}");
        assert_eq!(page(&pair.here, &session).send().status, 302);
    }
}

#[test]
fn attack_cross_site_websocket_hijacking_with_a_session() {
    let portal = sockets();
    let proxy = closed(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let ask = proxy.get("/devportal/ws").tenant("acme.com").cookie(COOKIE, &session);
    let (head, _) = ask.header("origin", "https://evil.example").upgrade();
    assert!(head.first.contains("403") && portal.received_nothing(), "{}", head.first);
}

/// Attack: a form of the public host; a browser without Fetch Metadata sends it with `Origin` only.
#[test]
fn attack_form_of_the_public_host_at_a_tenants_host() {
    let portal = Portal::answering("done").start();
    let proxy = closed(&portal)
        .setting("server.public_url", "https://portal.test")
        .setting("tenancy.hosts", json!({"acme.test": "acme.com"}))
        .start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    for (host, origin, is_own) in [
        ("acme.test", "https://portal.test", false),
        ("acme.test", "https://beta.test", false),
        ("acme.test", "https://acme.test", true),
        ("portal.test", "https://portal.test", true),
        ("inner.test", "https://portal.test", true),
    ] {
        let ask = proxy.post(PAGE).host(host).tenant("acme.com").api_client();
        let answer = ask.cookie("__Host-doorward", &session).header("origin", origin).send();
        assert_eq!(answer.status, if is_own { 200 } else { 401 }, "{host} {origin}");
    }
}
