//! Who asks, by the session of a browser that signed in here: as good as a token, and gone when the session is.

use std::time::Duration;

use doorward::session::{CookieSecret, csrf};
use serde_json::json;

use crate::support::{
    Gate, Idp, Portal, Reply,
    accounts::{Desk, sharing, with_lock},
    ask::Ask,
    eventually,
    gate::GateBuilder,
    wire::Wire,
};

const PAGE: &str = "/devportal/apis";
const COOKIE: &str = "doorward_session";

/// A gate with accounts, whose tenants are closed to strangers.
fn closed(portal: &Portal) -> GateBuilder {
    with_lock(Gate::before(portal), 5)
        .anonymous(false)
        .tenant("acme.com", &json!({}))
        .tenant("beta.com", &json!({}))
}

fn desk(gate: &Gate) -> Desk {
    Desk::of(gate.folder())
}

fn page(gate: &Gate, session: &str) -> Ask<'static> {
    gate.get(PAGE).tenant("acme.com").browser().cookie(COOKIE, session)
}

#[test]
fn a_session_lets_its_owner_in_and_tells_the_portal_who_that_is() {
    let portal = Portal::answering("apis").start();
    let gate = closed(&portal).start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    assert_eq!(gate.get(PAGE).tenant("acme.com").browser().send().status, 302, "a stranger");
    let answer = gate
        .get(PAGE)
        .tenant("acme.com")
        .browser()
        .header("cookie", &format!("a=1; {COOKIE}={session}; doorward_device=x; b=2"))
        .send();
    assert_eq!(answer.text(), "apis");
    let received = portal.only();
    assert_eq!(received.header("x-wso2-username"), Some("alex@acme.com"));
    assert_eq!(received.header("cookie"), Some("a=1; b=2"), "our cookies are ours");
    assert!(!format!("{received:?}").contains(&session));
    for other in [&session[1..], "", "x", &session.to_lowercase()] {
        assert_eq!(page(&gate, other).send().status, 302, "{other}");
    }
}

#[test]
fn over_https_only_the_cookie_that_is_locked_to_its_host_counts() {
    let portal = Portal::answering("apis").start();
    let gate = closed(&portal).tls().start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    let ask = |name: &str| {
        gate.get(PAGE)
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
fn behind_a_proxy_that_ends_tls_cookies_are_locked_to_their_host() {
    let portal = Portal::answering("apis").start();
    let gate = closed(&portal).setting("server.public_url", "https://portal.test").start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    let ask = |host: &str, name: &str| {
        gate.get(PAGE).host(host).tenant("acme.com").browser().cookie(name, &session).send()
    };
    for host in ["portal.test", "acme.portal.test"] {
        let statuses = ["__Host-doorward", COOKIE].map(|name| ask(host, name).status);
        assert_eq!(statuses, [200, 302], "{host}");
        assert_eq!(portal.last().header("x-forwarded-proto"), Some("https"));
        let token = csrf::token(&CookieSecret::parse(&session).unwrap(), "sign-out");
        let out = gate
            .post("/.doorward/sign-out?tenant=acme.com")
            .host(host)
            .browser()
            .header("origin", &format!("https://{host}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .cookie(COOKIE, &session)
            .body(format!("csrf={token}"))
            .send();
        assert_ne!(out.status, 303, "the clear-text name is nobody's");
    }
    let out = ask("portal.test", "x");
    for cookie in out.all("set-cookie") {
        assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
    }
}

#[test]
fn attack_cookie_tossing_two_sessions_are_none() {
    let portal = Portal::answering("apis").start();
    let gate = closed(&portal).start();
    let desk = desk(&gate);
    let alex = desk.account("acme.com", "alex");
    let (mine, theirs) = (desk.session(&alex), desk.session(&alex));
    let both = page(&gate, &mine).cookie(COOKIE, &theirs).send();
    assert_eq!((both.status, portal.saw_nothing()), (302, true));
}

#[test]
fn a_token_goes_before_a_session() {
    let portal = Portal::answering("apis").start();
    let idp = Idp::start();
    let gate = closed(&portal).issuer(&idp).setting("access.identity_headers", "oauth2-proxy").start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("carbon.super", "alex"));
    let user = || portal.last().header("x-forwarded-user").map(str::to_owned);
    let ask = || gate.get(PAGE).tenant("carbon.super").browser().cookie(COOKIE, &session);
    assert_eq!(ask().send().status, 200);
    assert_eq!(user().as_deref(), Some("alex"));
    let token = idp.token().subject("toni").sign();
    assert_eq!(ask().bearer(&token).send().status, 200);
    assert_eq!(user().as_deref(), Some("toni"));
    // a token that does not count: a program is told so; for a browser it is none, and the portal does not get it
    let dead = idp.token().expired().sign();
    let program = gate.get("/api/am/devportal/v3/applications").api_client().cookie(COOKIE, &session);
    assert_eq!(program.bearer(&dead).send().status, 401);
    assert_eq!(ask().bearer(&dead).send().status, 200);
    assert_eq!(
        (user().as_deref(), portal.last().header("authorization").map(str::to_owned)),
        (Some("alex"), None)
    );
}

#[test]
fn a_session_of_another_tenant_is_a_stranger_unless_welcome() {
    let portal = Portal::answering("apis").start();
    let gate =
        closed(&portal).tenant("open.com", &json!({"Doorward": {"cross_tenant": ["acme.com"]}})).start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    let status =
        |tenant: &str| gate.get(PAGE).tenant(tenant).browser().cookie(COOKIE, &session).send().status;
    assert_eq!(["acme.com", "beta.com", "open.com"].map(status), [200, 302, 200]);
    // a request that names no tenant is for the one the session is of
    let answer = gate.get("/api/am/devportal/v3/applications").xhr().cookie(COOKIE, &session).send();
    assert_eq!((answer.status, portal.last().header("x-wso2-tenant")), (200, Some("acme.com")));
}

/// Attack: a user of acme.com has the e-mail address that a visitor of beta.com is called by, and is taken for that visitor.
#[test]
fn attack_a_local_name_that_reads_like_a_visitors() {
    let portal = Portal::answering("apis").start();
    for (profile, header) in
        [("authelia", "remote-user"), ("oauth2-proxy", "x-forwarded-user"), ("wso2", "x-wso2-username")]
    {
        let gate = closed(&portal)
            .setting("access.identity_headers", profile)
            .setting("access.cross_tenant", json!(["beta.com"]))
            .start();
        let desk = desk(&gate);
        let mut told = Vec::new();
        for (tenant, name) in [
            ("acme.com", "bob@beta.com"),
            ("beta.com", "bob"),
            ("acme.com", "bob@beta.com@acme.com"),
            ("beta.com", "bob@acme.com"),
            ("acme.com", "bob"),
        ] {
            let session = desk.session(&desk.account(tenant, name));
            assert_eq!(page(&gate, &session).send().status, 200);
            told.push(portal.last().header(header).map(str::to_owned));
        }
        told.sort();
        told.dedup();
        assert_eq!(told.len(), 5, "{profile}: {told:?}");
    }
}

#[test]
fn attack_cross_site_request_forgery_with_a_session() {
    let portal = Portal::answering("done").start();
    let gate = closed(&portal).start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    let own = format!("http://{}", gate.authority());
    let post = |headers: &[(&str, &str)]| {
        let target = "/api/am/devportal/v3/applications";
        let ask = gate.post(target).tenant("acme.com").cookie(COOKIE, &session);
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
        assert_eq!((post(forged), portal.saw_nothing()), (401, true), "{forged:?}");
    }
    assert_eq!(post(&[("sec-fetch-site", "same-origin")]), 200);
    assert_eq!(post(&[("origin", &own)]), 200);
}

#[test]
fn the_settings_tell_a_session_what_is_enforced() {
    let settings = Reply::json(&json!({"IsAnonymousModeEnabled": true}));
    let portal = Portal::answering("").route("/api/am/devportal/v3/settings", settings).start();
    let gate = closed(&portal).start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    let answer =
        gate.get("/api/am/devportal/v3/settings").tenant("acme.com").xhr().cookie(COOKIE, &session).send();
    assert_eq!(answer.json(), json!({"IsAnonymousModeEnabled": false}));
}

/// Two Doorwards over one store.
struct Pair {
    here: Gate,
    there: Gate,
    desk: Desk,
}

impl Pair {
    fn before(portal: &Portal) -> Self {
        let here = closed(portal).start();
        let there =
            sharing(Gate::before(portal).anonymous(false).tenant("acme.com", &json!({})), here.folder());
        let desk = Desk::of(here.folder());
        Self { there: there.start(), here, desk }
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
fn signing_out_anywhere_closes_websockets_everywhere() {
    let portal = sockets();
    let pair = Pair::before(&portal);
    let alex = pair.desk.account("acme.com", "alex");
    let (ending, other) = (pair.desk.session(&alex), pair.desk.session(&alex));
    for gate in [&pair.here, &pair.there] {
        assert_eq!(page(gate, &ending).send().status, 200, "remembered by both");
    }
    let (mut first, mut second) = (pair.socket(&ending), pair.socket(&ending));
    let mut stays = pair.socket(&other);
    pair.sign_out_there(&ending);
    assert!(first.rest().is_empty() && second.rest().is_empty(), "closed");
    for gate in [&pair.here, &pair.there] {
        eventually(|| page(gate, &ending).send().status == 302);
    }
    assert_eq!(stays.write("pong").bytes(4), b"pong");
    // as a command beside them does
    pair.desk.end(&other);
    assert!(stays.rest().is_empty(), "closed");
}

#[test]
fn a_disabled_account_is_out_at_once() {
    let portal = sockets();
    let pair = Pair::before(&portal);
    let alex = pair.desk.account("acme.com", "alex");
    let session = pair.desk.session(&alex);
    assert_eq!(page(&pair.there, &session).send().status, 200);
    let mut socket = pair.socket(&session);
    pair.desk.disable(&alex);
    assert!(socket.rest().is_empty(), "closed");
    eventually(|| page(&pair.there, &session).send().status == 302);
}

#[test]
fn websockets_end_with_the_age_and_with_the_silence_of_their_session() {
    let portal = sockets();
    let pair = Pair::before(&portal);
    let alex = pair.desk.account("acme.com", "alex");
    let (long, short) = (Duration::from_hours(1), Duration::from_millis(1500));
    for (lifetime, idle) in [(short, long), (long, short)] {
        let session = pair.desk.session_of(&alex, lifetime, idle);
        let mut socket = pair.socket(&session);
        assert!(socket.rest().is_empty(), "closed: {lifetime:?} {idle:?}");
        assert_eq!(page(&pair.here, &session).send().status, 302);
    }
}

#[test]
fn attack_cross_site_websocket_hijacking_with_a_session() {
    let portal = sockets();
    let gate = closed(&portal).start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    let ask = gate.get("/devportal/ws").tenant("acme.com").cookie(COOKIE, &session);
    let (head, _) = ask.header("origin", "https://evil.example").upgrade();
    assert!(head.first.contains("403") && portal.saw_nothing(), "{}", head.first);
}

/// Attack: a form of the public host; a browser without Fetch Metadata sends it with `Origin` only.
#[test]
fn attack_form_of_the_public_host_at_a_tenants_host() {
    let portal = Portal::answering("done").start();
    let gate = closed(&portal)
        .setting("server.public_url", "https://portal.test")
        .setting("tenancy.hosts", json!({"acme.test": "acme.com"}))
        .start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    for (host, origin, is_own) in [
        ("acme.test", "https://portal.test", false),
        ("acme.test", "https://beta.test", false),
        ("acme.test", "https://acme.test", true),
        ("portal.test", "https://portal.test", true),
        ("inner.test", "https://portal.test", true),
    ] {
        let ask = gate.post(PAGE).host(host).tenant("acme.com").api_client();
        let answer = ask.cookie("__Host-doorward", &session).header("origin", origin).send();
        assert_eq!(answer.status, if is_own { 200 } else { 401 }, "{host} {origin}");
    }
}

#[test]
fn explain_shows_what_the_session_said() {
    let portal = Portal::answering("").start();
    let gate = closed(&portal).start();
    let desk = desk(&gate);
    let session = desk.session(&desk.account("acme.com", "alex"));
    let explained = |cookie: &str| {
        let question = json!({
            "url": format!("http://{}{PAGE}?tenant=acme.com", gate.authority()),
            "headers": ["Accept: text/html", format!("Cookie: {COOKIE}={cookie}")],
        });
        gate.admin_ask("POST", "/explain")
            .header("content-type", "application/json")
            .body(question.to_string())
            .send()
            .json()
    };
    let known = explained(&session);
    assert_eq!(known["verdict"], "allow");
    assert!(known["steps"].to_string().contains("alive, of alex@acme.com"), "{known}");
    let unknown = explained("x");
    assert_eq!(unknown["verdict"], "sign-in");
    assert!(unknown["steps"].to_string().contains("none that counts here"), "{unknown}");
}

#[test]
fn explain_tells_an_address_of_our_own_and_a_guarded_one() {
    let portal = Portal::answering("").start();
    let guard = json!([{"match": "/login", "user_in": "form", "succeeded_status": [204]}]);
    let gate = Gate::before(&portal).generic(&[]).accounts().setting("guard", guard);
    let gate = gate.setting("account_lock.enabled", true).start();
    let explained = |url: &str| {
        let question = json!({ "url": url }).to_string();
        let ask = gate.admin_ask("POST", "/explain").header("content-type", "application/json");
        ask.body(question).send().json()
    };
    for own in ["/.doorward/account", "/.doorward/tenants", "/.well-known/change-password"] {
        let told = explained(own);
        assert!(
            told["verdict"] == "allow" && told["steps"].to_string().contains("it answers itself"),
            "{told}"
        );
    }
    let guarded = explained("/login")["steps"].to_string();
    assert!(guarded.contains("counted before the portal sees it"), "{guarded}");
    assert!(!explained("/docs")["steps"].to_string().contains("counted"));
}
