//! The sign-in page: sign-in, sign-out, and misuse of its forms.

use doorward::internals::domain::{
    account::{AdminLock, LockedReason},
    time::Timestamp,
};
use serde_json::json;

use crate::support::{Jar, Portal, TestAccounts, TestProxy, browser::FormPage, eventually};

const DEEP: &str = "/devportal/apis/7?tenant=acme.com&tab=definition";
const SESSION: &str = "doorward_session";

fn proxy(portal: &Portal) -> TestProxy {
    TestProxy::in_front_of(portal)
        .tenant("acme.com", &json!({"EnableAnonymous": false}))
        .tenant("beta.com", &json!({"EnableAnonymous": true}))
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 3)
        .accounts()
        .start()
}

fn sign_in_page(to: &str) -> String {
    let to: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
    format!("/.doorward/sign-in?tenant=acme.com&to={to}")
}

/// The value of a cookie the jar holds.
fn cookie(jar: &Jar, name: &str) -> Option<String> {
    let line = jar.header("/")?;
    line.split("; ").find_map(|pair| pair.strip_prefix(&format!("{name}=")).map(str::to_owned))
}

#[test]
fn sign_in_returns_to_the_requested_page() {
    let portal = Portal::answering("secret").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browser = proxy.browser();
    // an anonymous request is redirected to the sign-in page
    let answer = browser.get(DEEP);
    assert_eq!((answer.status, answer.location()), (302, sign_in_page(DEEP).as_str()));
    let form = browser.open(answer.location());
    for part in ["autocomplete=\"username\"", "autocomplete=\"current-password\"", "acme.com"] {
        assert!(form.page.text().contains(part), "{part}");
    }
    let answer = browser.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
    assert_eq!((answer.status, answer.location()), (303, DEEP));
    assert_eq!(browser.get(answer.location()).text(), "secret");
    // a signed-in user is redirected at once
    let answer = browser.get(&sign_in_page(DEEP));
    assert_eq!((answer.status, answer.location()), (303, DEEP));
}

/// A window that comes back with all its tabs, and a class that opens the same page for the first time.
#[test]
fn parallel_requests_each_redirect_to_sign_in() {
    let portal = Portal::answering("secret").start();
    let proxy = proxy(&portal);
    let mut tabs = proxy.browser();
    for _ in 0..10 {
        assert_eq!(tabs.get(DEEP).status, 302);
        assert_eq!(proxy.browser().get(DEEP).status, 302);
    }
}

#[test]
fn all_forms_of_a_login_name_reach_the_account() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    for name in ["alex", " Alex ", "alex@mail.example", "alex@acme.com", "PRIMARY/alex"] {
        assert_eq!(proxy.browser().sign_in("acme.com", name, "correct horse").status, 303, "{name:?}");
    }
    // a sign-in at another tenant's page leads to the user's own portal where that tenant refuses users of other tenants
    let answer = proxy.browser().sign_in("beta.com", "alex@acme.com", "correct horse");
    assert_eq!(answer.location(), "/devportal/apis?tenant=acme.com");
}

#[test]
fn all_sign_in_failures_show_the_same_page() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    let accounts = TestAccounts::of(&proxy);
    accounts.add("acme.com", "alex", "correct horse");
    accounts.add_with("acme.com", "disabled", "correct horse", |account| account.disabled = true);
    accounts.add_with("acme.com", "barred", "correct horse", |account| {
        account.admin_lock =
            Some(AdminLock { reason: LockedReason::AdminInitiated, since: Timestamp::from_millis(1) });
    });
    let mut pages = Vec::new();
    for (name, password) in [
        ("alex", "wrong"),
        ("no-such-user", "wrong"),
        ("disabled", "correct horse"),
        ("barred", "correct horse"),
    ] {
        let mut browser = proxy.browser();
        let form = browser.open("/.doorward/sign-in?tenant=acme.com");
        let answer = browser.submit(&form, &[("username", name), ("password", password)]);
        let message = answer.text().replace(name, "NAME").replace(form.hidden("csrf"), "TOKEN");
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(message.contains(&id), "the request id stands on the page");
        pages.push((answer.status, message.replace(&id, "ID")));
    }
    assert_eq!(pages[0].0, 403);
    for page in &pages {
        assert_eq!(page, &pages[0]);
    }
}

#[test]
fn locked_account_rejects_the_right_password() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    for _ in 0..3 {
        assert_eq!(proxy.browser().sign_in("acme.com", "alex", "wrong").status, 403);
    }
    let answer = proxy.browser().sign_in("acme.com", "alex", "correct horse");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("You could not be signed in"));
    assert!(answer.header("set-cookie").is_none_or(|cookie| !cookie.starts_with(SESSION)));
}

/// wso2/api-manager#4276, wso2/product-is#2722: the page says that the account is locked and for how long, where that is allowed.
#[test]
fn tenant_may_show_the_lock_and_its_end() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .tenant(
            "acme.com",
            &json!({"EnableAnonymous": false, "Doorward": {"account_lock": {"show_failure_reason": true}}}),
        )
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 1)
        .accounts()
        .start();
    proxy.browser().sign_in("acme.com", "no-such-user", "wrong");
    let answer = proxy.browser().sign_in("acme.com", "no-such-user", "wrong");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("This account is locked") && answer.text().contains("in 5 minutes"));
}

#[test]
fn parallel_tabs_all_return_to_their_pages() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browser = proxy.browser();
    let targets: Vec<String> = (0..4).map(|n| format!("/devportal/apis/{n}?tenant=acme.com")).collect();
    let tabs: Vec<FormPage> = targets.iter().map(|to| browser.open(&sign_in_page(to))).collect();
    for (tab, to) in tabs.iter().zip(&targets) {
        let answer = browser.submit(tab, &[("username", "alex"), ("password", "correct horse")]);
        assert_eq!((answer.status, answer.location()), (303, to.as_str()));
        assert!(browser.is_signed_in());
    }
}

#[test]
fn tabs_with_different_form_tokens_can_all_sign_in() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    // each was asked for before the other had its cookie: the browser keeps one of the two
    let (mut first, mut second) = (proxy.browser(), proxy.browser());
    let (tab, other) =
        (first.open(&sign_in_page("/devportal/1")), second.open(&sign_in_page("/devportal/2")));
    for (tab, to) in [(&tab, "/devportal/1"), (&other, "/devportal/2")] {
        let answer = second.submit(tab, &[("username", "alex"), ("password", "correct horse")]);
        assert_eq!((answer.status, answer.location()), (303, to));
    }
}

#[test]
fn form_sent_twice_leaves_one_session() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browser = proxy.browser();
    let form = browser.open(&sign_in_page(DEEP));
    for _ in 0..2 {
        let answer = browser.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
        assert_eq!((answer.status, answer.location()), (303, DEEP));
    }
    let page = browser.get("/.doorward/account").text();
    assert_eq!(page.matches("<time").count(), 1, "{page}");
}

#[test]
fn attack_session_fixation_by_a_planted_cookie() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    TestAccounts::of(&proxy).add("acme.com", "mallory", "battery staple");
    // a session of the attacker's own, and a name that never was one
    let mut attacker = proxy.browser();
    attacker.sign_in("acme.com", "mallory", "battery staple");
    let planted = [cookie(&attacker.jar, SESSION).unwrap(), "A".repeat(43)];
    for name in planted {
        let mut victim = proxy.browser().with_cookies_of(&attacker);
        victim.jar.set(SESSION, &name);
        let form = victim.open("/.doorward/sign-in?tenant=beta.com");
        let answer = victim.submit(&form, &[("username", "alex@acme.com"), ("password", "correct horse")]);
        assert_eq!(answer.status, 303);
        assert_ne!(cookie(&victim.jar, SESSION).unwrap(), name);
        let mut thief = proxy.browser();
        thief.jar.set(SESSION, &name);
        assert!(!thief.is_signed_in(), "the planted name opens nothing");
    }
}

#[test]
fn attack_open_redirect_by_the_to_parameter() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    for hostile in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%09/evil.example",
        "/%2f%2fevil.example",
        "/..//evil.example",
        "javascript:alert(1)",
        "/x\r\nLocation: https://evil.example",
        // and in a circle
        "/.doorward/sign-in",
        "/.doorward/sign-out",
    ] {
        let mut browser = proxy.browser();
        let form = browser.open(&sign_in_page(hostile));
        assert_eq!(form.hidden("to"), "", "{hostile:?}");
        // in the form itself
        let fields = [("username", "alex"), ("password", "correct horse"), ("to", hostile)];
        let answer = browser.submit(&form, &fields);
        assert_eq!(answer.location(), "/devportal/apis?tenant=acme.com", "{hostile:?}");
    }
}

#[test]
fn attack_cross_site_request_forgery_of_sign_in_and_sign_out() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browser = proxy.browser();
    let form = browser.open("/.doorward/sign-in?tenant=acme.com");
    let body = form.body(&[("username", "alex"), ("password", "correct horse")]);
    let path = "/.doorward/sign-in?tenant=acme.com";
    for foreign in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")].as_slice(),
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.test")],
        &[("sec-fetch-site", "none")],
    ] {
        let answer = browser.post(path, &body, foreign);
        assert!(answer.status == 403 && answer.text().contains("another website"), "{foreign:?}");
    }
    // where the browser says nothing: without the token, with that of another browser, and with that of another form
    let other = proxy.browser().open(path).hidden("csrf").to_owned();
    let password = browser.open("/.doorward/account/password?tenant=acme.com").hidden("csrf").to_owned();
    for token in ["", "x", &other, &password] {
        let fields = [("username", "alex"), ("password", "correct horse"), ("csrf", token)];
        let answer = browser.post(path, &form.body(&fields), &[]);
        assert!(answer.status == 403 && answer.text().contains("open for too long"), "{token:?}");
        assert!(answer.text().contains("value=\"alex\""), "the name is kept");
    }
    assert!(!browser.is_signed_in());
    assert_eq!(browser.post(path, &body, &[]).status, 303, "the token is enough");
    for (body, site) in [("", "same-origin"), ("csrf=x", "same-origin"), ("", "cross-site")] {
        assert_eq!(browser.post("/.doorward/sign-out", body, &[("sec-fetch-site", site)]).status, 403);
    }
    assert_eq!(browser.get("/.doorward/sign-out").status, 200, "a link asks");
    assert!(browser.is_signed_in());
}

#[test]
fn attack_oversized_or_odd_bodies_are_not_read() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    let mut browser = proxy.browser();
    let form = browser.open("/.doorward/sign-in?tenant=acme.com");
    let body = form.body(&[("username", "alex"), ("password", &"x".repeat(17_000))]);
    assert_eq!(browser.post("/.doorward/sign-in", &body, &[]).status, 413);
    let ask = || proxy.post("/.doorward/sign-in").header("accept", "text/html");
    assert_eq!(ask().header("content-type", "application/json").body("{}").send().status, 415);
    assert_eq!(ask().header("content-type", "text/plain").body("username=alex").send().status, 415);
    // a body that is announced and never sent does not occupy the connection for ever
    let head =
        "POST /.doorward/sign-in HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let mut wire = proxy.raw(format!("{head}content-length: 99999999999\r\n\r\n{}", "x".repeat(20_000)));
    assert_eq!(wire.answer("POST").unwrap().status, 413);
}

#[test]
fn sign_out_ends_the_session() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browser = proxy.browser();
    browser.sign_in("acme.com", "alex", "correct horse");
    let before = proxy.browser().with_cookies_of(&browser);
    let form = browser.open("/.doorward/sign-out?tenant=acme.com");
    assert!(form.page.text().contains("alex"));
    let answer = browser.submit(&form, &[]);
    assert_eq!((answer.status, answer.location()), (303, "/.doorward/signed-out?tenant=acme.com"));
    assert_eq!(cookie(&browser.jar, SESSION), None);
    let page = browser.get("/.doorward/signed-out?tenant=acme.com");
    assert!(page.status == 200 && page.text().contains("You are signed out"));
    // a copy of the cookie is not accepted any more
    let mut thief = before;
    assert!(!thief.is_signed_in());
    // twice is no harm
    assert_eq!(browser.submit(&form, &[]).status, 303);
}

#[test]
fn https_sets_host_cookies_and_sign_out_clears_the_cache() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().tls().start();
    TestAccounts::of(&proxy).add("carbon.super", "alex", "correct horse");
    let mut browser = proxy.browser().over_tls();
    let answer = browser.sign_in("carbon.super", "alex", "correct horse");
    let cookie =
        answer.all("set-cookie").into_iter().find(|line| line.starts_with("__Host-doorward=")).unwrap();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(cookie.len() <= 256 && !cookie.contains("Domain"));
    let form = browser.open("/.doorward/sign-out");
    assert_eq!(browser.submit(&form, &[]).header("clear-site-data"), Some("\"cache\""));
}

#[test]
fn own_pages_forbid_caching_and_framing() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browser = proxy.browser();
    let form = browser.open("/.doorward/sign-in?tenant=acme.com");
    let wrong = browser.submit(&form, &[("username", "alex"), ("password", "wrong")]);
    let right = browser.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
    let account = browser.get("/.doorward/account");
    for answer in [&form.page, &wrong, &right, &account] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.all("content-security-policy").len(), 1, "two would both be obeyed");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_ne!(answer.header("referrer-policy"), None);
    }
    assert!(portal.received_nothing(), "nothing of this is the portal's business");
}

#[test]
fn unknown_tenant_has_no_sign_in_page() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    let answer = proxy.browser().get("/.doorward/sign-in?tenant=unknown.test");
    assert!(answer.status == 404 && answer.text().contains("There is no tenant"));
}

#[test]
fn without_accounts_own_pages_return_404() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    for path in
        ["/.doorward/sign-in", "/.doorward/sign-out", "/.doorward/account", "/.doorward/account/password"]
    {
        assert_eq!(proxy.browser().get(path).status, 404, "{path}");
    }
}

#[test]
fn custom_texts_are_reloaded_and_broken_ones_ignored() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    let page = || proxy.browser().get("/.doorward/sign-in?tenant=acme.com").text();
    assert!(page().contains("User name or e-mail"));
    let folder = proxy.folder().join("locales");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("en.ftl"), "sign-in-name = Staff number\n").unwrap();
    eventually(|| page().contains("Staff number"));
    std::fs::write(folder.join("en.ftl"), "sign-in-name = Staff number {\n").unwrap();
    eventually(|| page().contains("User name or e-mail"));
}
