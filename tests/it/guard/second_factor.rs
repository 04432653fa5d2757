//! Attempts without a user name: one-time codes at a page that identifies the user by the portal's session only.

use serde_json::json;

use super::FORM;
use crate::support::{Portal, Reply, TestProxy, proxy::TestProxyBuilder};

const CODE: &str = "424242";
const MAX_ATTEMPTS: usize = 2;
/// Attempts of one network, with any cookies.
const BOUND: usize = 10 * MAX_ATTEMPTS;

fn portal() -> Portal {
    Portal::answering("page")
        .route_with("/otp", |request| {
            let is_right = String::from_utf8_lossy(&request.body).contains(CODE);
            Reply::text("").status(302).header("location", if is_right { "/home" } else { "/otp?error" })
        })
        .start()
}

/// Client addresses are those in `X-Forwarded-For`.
fn proxy(portal: &Portal, carrier: Option<&str>) -> TestProxyBuilder {
    let mut guard = json!({"match": "/otp", "user_in": "form", "require_name": false,
        "failed_redirect": ["/otp?error*"], "succeeded_redirect": ["/home*"]});
    if let Some(carrier) = carrier {
        guard["name_from"] = json!(carrier);
    }
    TestProxy::in_front_of(portal)
        .accounts()
        .lockout(u32::try_from(MAX_ATTEMPTS).unwrap())
        .generic(&[("/**", "open")])
        .setting("guard", json!([guard]))
        .trusting("127.0.0.0/8")
}

fn code(proxy: &TestProxy, from: &str, cookies: &str, code: &str) -> String {
    let ask = proxy.post("/otp").browser().header("content-type", FORM).header("x-forwarded-for", from);
    let ask = if cookies.is_empty() { ask } else { ask.header("cookie", cookies) };
    let answer = ask.body(format!("code={code}")).send();
    if answer.status == 302 { answer.location().to_owned() } else { answer.status.to_string() }
}

/// Attack: each attempt comes with other cookies, so that each has a counter of its own.
#[test]
fn attack_second_factor_guessed_with_changing_cookies() {
    type Cookies = fn(usize) -> String;
    let portal = portal();
    let proxy = proxy(&portal, None).start();
    let cookies: [(&str, Cookies); 5] = [
        ("junk cookie", |turn| format!("sid=victim; junk={turn}")),
        ("junk in front", |turn| format!("j{turn}=1; sid=victim")),
        ("order", |turn| {
            let mut all: Vec<_> = (0..8).map(|n| format!("c{n}=1")).collect();
            all.swap(turn % 8, turn / 8);
            format!("sid=victim; {}", all.join("; "))
        }),
        ("duplicates", |turn| vec!["sid=victim"; turn + 1].join("; ")),
        ("other sessions", |turn| format!("sid=s{turn}")),
    ];
    for (number, (name, cookies)) in cookies.into_iter().enumerate() {
        portal.clear_received();
        let from = format!("203.0.113.{number}");
        for turn in 0..BOUND + 10 {
            code(&proxy, &from, &cookies(turn), "000000");
        }
        assert!(portal.received().len() <= BOUND, "{name}: {}", portal.received().len());
        assert_eq!(code(&proxy, &from, "sid=victim", CODE), "401", "{name}: the network is locked");
    }
    portal.clear_received();
    for _ in 0..9 {
        code(&proxy, "203.0.113.9", "", "000000");
    }
    assert_eq!(portal.received().len(), MAX_ATTEMPTS, "no cookies");
    assert_eq!(code(&proxy, "198.51.100.1", "sid=owner", CODE), "/home", "another network");
}

/// Attack: each attempt has an invented name beside the code, so that each counts for another name. The portal knows the user by its session.
#[test]
fn attack_second_factor_guessed_with_invented_names() {
    let portal = portal();
    let proxy = proxy(&portal, None).start();
    for (number, fields) in ["username=junk", "password=x&username=junk"].into_iter().enumerate() {
        portal.clear_received();
        let from = format!("203.0.113.{number}");
        let attempt = |turn: usize, code: &str| {
            let ask =
                proxy.post("/otp").browser().header("content-type", FORM).header("x-forwarded-for", &from);
            let ask = ask.header("cookie", &format!("sid=victim; junk={turn}"));
            ask.body(format!("code={code}&{fields}{turn}")).send().status
        };
        for turn in 0..BOUND + 10 {
            attempt(turn, "000000");
        }
        assert_eq!(portal.received().len(), BOUND, "{fields}");
        assert_eq!(attempt(1000, CODE), 401, "{fields}");
    }
}

/// Attack: guesses at one portal session from many addresses and with changing cookies, where the guard knows its cookie.
#[test]
fn attack_second_factor_guessed_from_many_addresses() {
    let portal = portal();
    let proxy = proxy(&portal, Some("cookie:sid")).start();
    for turn in 0..20 {
        code(&proxy, &format!("203.0.113.{turn}"), &format!("sid=victim; junk={turn}"), "000000");
    }
    assert_eq!(portal.received().len(), MAX_ATTEMPTS);
    assert_eq!(code(&proxy, "203.0.113.1", "sid=other", CODE), "/home");
}

#[test]
fn one_portal_session_does_not_lock_others_behind_its_address() {
    let portal = portal();
    for carrier in [None, Some("cookie:sid")] {
        let proxy = proxy(&portal, carrier).start();
        for _ in 0..6 {
            code(&proxy, "192.0.2.1", "sid=one", "000000");
        }
        assert_eq!(code(&proxy, "192.0.2.1", "sid=one", CODE), "401", "its own session is locked");
        for session in 0..3 * BOUND {
            let cookies = format!("sid=s{session}");
            if session % 4 == 0 {
                assert_eq!(code(&proxy, "192.0.2.1", &cookies, "000000"), "/otp?error");
            }
            assert_eq!(code(&proxy, "192.0.2.1", &cookies, CODE), "/home", "{session}");
        }
    }
}

/// Attack: failures behind a proxy that is not listed lock its address, which is that of all its clients.
#[test]
fn attack_nameless_failures_lock_out_an_unlisted_proxy() {
    let portal = portal();
    let none: [&str; 0] = [];
    for (carrier, header, cookie, is_open) in [
        (Some("cookie:sid"), "x-forwarded-for", "sid", true),
        (Some("cookie:sid"), "x-real-ip", "sid", true),
        (Some("cookie:sid"), "forwarded", "sid", true),
        // without a portal session nothing else bounds the attempts
        (Some("cookie:sid"), "x-forwarded-for", "other", false),
        (None, "x-forwarded-for", "sid", false),
        // no proxy
        (Some("cookie:sid"), "x-nothing", "sid", false),
    ] {
        let proxy = proxy(&portal, carrier).setting("server.trusted_proxies", json!(none)).start();
        let code = |session: &str, code: &str| {
            let ask = proxy.post("/otp").browser().header("content-type", FORM);
            let ask = ask.header(header, "203.0.113.7").cookie(cookie, session);
            let answer = ask.body(format!("code={code}")).send();
            if answer.status == 302 { answer.location().to_owned() } else { answer.status.to_string() }
        };
        for session in 0..BOUND {
            assert_eq!(code(&format!("s{session}"), "000000"), "/otp?error");
        }
        let expected = if is_open { "/home" } else { "401" };
        assert_eq!(code("owner", CODE), expected, "{carrier:?} {header} {cookie}");
        for _ in 0..MAX_ATTEMPTS {
            code("guessed", "000000");
        }
        assert_eq!(code("guessed", CODE), "401", "each portal session has its own bound");
    }
}
