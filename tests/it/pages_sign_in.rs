//! The sign-in page of the gate: in, out, and every way in which somebody might misuse its forms.

use doorward::domain::account::{AdminLock, LockedReason};
use serde_json::json;

use crate::support::{Gate, Jar, People, Portal, eventually, people::Shown};

const DEEP: &str = "/devportal/apis/7?tenant=acme.com&tab=definition";
const SESSION: &str = "doorward_session";

fn gate(portal: &Portal) -> Gate {
    Gate::before(portal)
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
fn who_signs_in_arrives_where_they_wanted_to_go() {
    let portal = Portal::answering("secret").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut visitor = gate.visitor();
    // the gate itself sends a stranger to its door
    let answer = visitor.get(DEEP);
    assert_eq!((answer.status, answer.location()), (302, sign_in_page(DEEP).as_str()));
    let form = visitor.open(answer.location());
    for part in ["autocomplete=\"username\"", "autocomplete=\"current-password\"", "acme.com"] {
        assert!(form.page.text().contains(part), "{part}");
    }
    let answer = visitor.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
    assert_eq!((answer.status, answer.location()), (303, DEEP));
    assert_eq!(visitor.get(answer.location()).text(), "secret");
    // who is signed in already is sent on at once
    let answer = visitor.get(&sign_in_page(DEEP));
    assert_eq!((answer.status, answer.location()), (303, DEEP));
}

/// A window that comes back with all its tabs, and a class that opens the same page for the first time.
#[test]
fn however_many_come_at_once_each_is_shown_the_door() {
    let portal = Portal::answering("secret").start();
    let gate = gate(&portal);
    let mut tabs = gate.visitor();
    for _ in 0..10 {
        assert_eq!(tabs.get(DEEP).status, 302);
        assert_eq!(gate.visitor().get(DEEP).status, 302);
    }
}

#[test]
fn a_name_an_address_and_a_name_with_its_tenant_are_the_same_person() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    for name in ["alex", " Alex ", "alex@mail.example", "alex@acme.com", "PRIMARY/alex"] {
        assert_eq!(gate.visitor().sign_in("acme.com", name, "correct horse").status, 303, "{name:?}");
    }
    // from another tenant's door one is led to one's own portal, where that tenant does not welcome strangers
    let answer = gate.visitor().sign_in("beta.com", "alex@acme.com", "correct horse");
    assert_eq!(answer.location(), "/devportal/apis?tenant=acme.com");
}

#[test]
fn strangers_read_the_same_page_whatever_is_wrong() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    let people = People::of(&gate);
    people.add("acme.com", "alex", "correct horse");
    people.add_with("acme.com", "disabled", "correct horse", |account| account.disabled = true);
    people.add_with("acme.com", "barred", "correct horse", |account| {
        account.admin_lock = Some(AdminLock { reason: LockedReason::AdminInitiated, since: 1 });
    });
    let mut pages = Vec::new();
    for (name, password) in
        [("alex", "wrong"), ("nobody", "wrong"), ("disabled", "correct horse"), ("barred", "correct horse")]
    {
        let mut visitor = gate.visitor();
        let form = visitor.open("/.doorward/sign-in?tenant=acme.com");
        let answer = visitor.submit(&form, &[("username", name), ("password", password)]);
        let told = answer.text().replace(name, "NAME").replace(form.hidden("csrf"), "TOKEN");
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(told.contains(&id), "the request id stands on the page");
        pages.push((answer.status, told.replace(&id, "ID")));
    }
    assert_eq!(pages[0].0, 403);
    for page in &pages {
        assert_eq!(page, &pages[0]);
    }
}

#[test]
fn too_many_wrong_passwords_lock_and_the_right_one_does_not_help() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    for _ in 0..3 {
        assert_eq!(gate.visitor().sign_in("acme.com", "alex", "wrong").status, 403);
    }
    let answer = gate.visitor().sign_in("acme.com", "alex", "correct horse");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("You could not be signed in"));
    assert!(answer.header("set-cookie").is_none_or(|cookie| !cookie.starts_with(SESSION)));
}

/// wso2/api-manager#4276, wso2/product-is#2722: the page says that the account is locked and for how long, where that is allowed.
#[test]
fn c22_c23_a_tenant_may_have_the_lock_and_its_end_told() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal)
        .tenant("acme.com", &json!({"EnableAnonymous": false, "Doorward": {"account_lock": {"tell": true}}}))
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 1)
        .accounts()
        .start();
    gate.visitor().sign_in("acme.com", "nobody", "wrong");
    let answer = gate.visitor().sign_in("acme.com", "nobody", "wrong");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("This account is locked") && answer.text().contains("in 5 minutes"));
}

#[test]
fn tabs_that_sign_in_at_once_all_arrive_where_they_wanted() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut visitor = gate.visitor();
    let targets: Vec<String> = (0..4).map(|n| format!("/devportal/apis/{n}?tenant=acme.com")).collect();
    let tabs: Vec<Shown> = targets.iter().map(|to| visitor.open(&sign_in_page(to))).collect();
    for (tab, to) in tabs.iter().zip(&targets) {
        let answer = visitor.submit(tab, &[("username", "alex"), ("password", "correct horse")]);
        assert_eq!((answer.status, answer.location()), (303, to.as_str()));
        assert!(visitor.is_signed_in());
    }
}

#[test]
fn tabs_that_were_opened_at_the_same_moment_share_no_token_and_still_arrive() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    // each was asked for before the other had its cookie: the browser keeps one of the two
    let (mut first, mut second) = (gate.visitor(), gate.visitor());
    let (tab, other) =
        (first.open(&sign_in_page("/devportal/1")), second.open(&sign_in_page("/devportal/2")));
    for (tab, to) in [(&tab, "/devportal/1"), (&other, "/devportal/2")] {
        let answer = second.submit(tab, &[("username", "alex"), ("password", "correct horse")]);
        assert_eq!((answer.status, answer.location()), (303, to));
    }
}

#[test]
fn a_form_sent_twice_signs_in_twice_and_leaves_one_session() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut visitor = gate.visitor();
    let form = visitor.open(&sign_in_page(DEEP));
    for _ in 0..2 {
        let answer = visitor.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
        assert_eq!((answer.status, answer.location()), (303, DEEP));
    }
    let page = visitor.get("/.doorward/account").text();
    assert_eq!(page.matches("<time").count(), 1, "{page}");
}

#[test]
fn attack_session_fixation_the_name_of_a_session_changes_at_sign_in() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    People::of(&gate).add("acme.com", "mallory", "battery staple");
    // a session of the attacker's own, and a name that never was one
    let mut attacker = gate.visitor();
    attacker.sign_in("acme.com", "mallory", "battery staple");
    let planted = [cookie(&attacker.jar, SESSION).unwrap(), "A".repeat(43)];
    for name in planted {
        let mut victim = gate.visitor().with_cookies_of(&attacker);
        victim.jar.put(SESSION, &name);
        let form = victim.open("/.doorward/sign-in?tenant=beta.com");
        let answer = victim.submit(&form, &[("username", "alex@acme.com"), ("password", "correct horse")]);
        assert_eq!(answer.status, 303);
        assert_ne!(cookie(&victim.jar, SESSION).unwrap(), name);
        let mut thief = gate.visitor();
        thief.jar.put(SESSION, &name);
        assert!(!thief.is_signed_in(), "the planted name opens nothing");
    }
}

#[test]
fn attack_open_redirect_by_the_address_to_go_on_to() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
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
        let mut visitor = gate.visitor();
        let form = visitor.open(&sign_in_page(hostile));
        assert_eq!(form.hidden("to"), "", "{hostile:?}");
        // in the form itself
        let fields = [("username", "alex"), ("password", "correct horse"), ("to", hostile)];
        let answer = visitor.submit(&form, &fields);
        assert_eq!(answer.location(), "/devportal/apis?tenant=acme.com", "{hostile:?}");
    }
}

#[test]
fn attack_cross_site_request_forgery_at_the_door_and_on_the_way_out() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut visitor = gate.visitor();
    let form = visitor.open("/.doorward/sign-in?tenant=acme.com");
    let body = form.body(&[("username", "alex"), ("password", "correct horse")]);
    let path = "/.doorward/sign-in?tenant=acme.com";
    for foreign in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")].as_slice(),
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.test")],
        &[("sec-fetch-site", "none")],
    ] {
        let answer = visitor.post(path, &body, foreign);
        assert!(answer.status == 403 && answer.text().contains("another website"), "{foreign:?}");
    }
    // where the browser says nothing: without the token, with that of another browser, and with that of another form
    let other = gate.visitor().open(path).hidden("csrf").to_owned();
    let password = visitor.open("/.doorward/account/password?tenant=acme.com").hidden("csrf").to_owned();
    for token in ["", "x", &other, &password] {
        let fields = [("username", "alex"), ("password", "correct horse"), ("csrf", token)];
        let answer = visitor.post(path, &form.body(&fields), &[]);
        assert!(answer.status == 403 && answer.text().contains("open for too long"), "{token:?}");
        assert!(answer.text().contains("value=\"alex\""), "the name is kept");
    }
    assert!(!visitor.is_signed_in());
    assert_eq!(visitor.post(path, &body, &[]).status, 303, "the token is enough");
    for (body, site) in [("", "same-origin"), ("csrf=x", "same-origin"), ("", "cross-site")] {
        assert_eq!(visitor.post("/.doorward/sign-out", body, &[("sec-fetch-site", site)]).status, 403);
    }
    assert_eq!(visitor.get("/.doorward/sign-out").status, 200, "a link asks");
    assert!(visitor.is_signed_in());
}

#[test]
fn attack_oversized_or_odd_bodies_are_not_read() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    let mut visitor = gate.visitor();
    let form = visitor.open("/.doorward/sign-in?tenant=acme.com");
    let body = form.body(&[("username", "alex"), ("password", &"x".repeat(17_000))]);
    assert_eq!(visitor.post("/.doorward/sign-in", &body, &[]).status, 413);
    let ask = || gate.post("/.doorward/sign-in").header("accept", "text/html");
    assert_eq!(ask().header("content-type", "application/json").body("{}").send().status, 415);
    assert_eq!(ask().header("content-type", "text/plain").body("username=alex").send().status, 415);
    // a length that is announced and never comes holds nobody up for ever
    let head =
        "POST /.doorward/sign-in HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let mut wire = gate.raw(format!("{head}content-length: 99999999999\r\n\r\n{}", "x".repeat(20_000)));
    assert_eq!(wire.answer("POST").unwrap().status, 413);
}

#[test]
fn signing_out_ends_the_session_and_says_so() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut visitor = gate.visitor();
    visitor.sign_in("acme.com", "alex", "correct horse");
    let before = gate.visitor().with_cookies_of(&visitor);
    let form = visitor.open("/.doorward/sign-out?tenant=acme.com");
    assert!(form.page.text().contains("alex"));
    let answer = visitor.submit(&form, &[]);
    assert_eq!((answer.status, answer.location()), (303, "/.doorward/signed-out?tenant=acme.com"));
    assert_eq!(cookie(&visitor.jar, SESSION), None);
    let page = visitor.get("/.doorward/signed-out?tenant=acme.com");
    assert!(page.status == 200 && page.text().contains("You are signed out"));
    // the cookie that somebody kept opens nothing
    let mut thief = before;
    assert!(!thief.is_signed_in());
    // twice is no harm
    assert_eq!(visitor.submit(&form, &[]).status, 303);
}

#[test]
fn over_https_cookies_are_locked_to_the_host_and_the_cache_is_cleared_on_the_way_out() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).accounts().tls().start();
    People::of(&gate).add("carbon.super", "alex", "correct horse");
    let mut visitor = gate.visitor().over_tls();
    let answer = visitor.sign_in("carbon.super", "alex", "correct horse");
    let cookie =
        answer.all("set-cookie").into_iter().find(|line| line.starts_with("__Host-doorward=")).unwrap();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(cookie.len() <= 256 && !cookie.contains("Domain"));
    let form = visitor.open("/.doorward/sign-out");
    assert_eq!(visitor.submit(&form, &[]).header("clear-site-data"), Some("\"cache\""));
}

#[test]
fn every_answer_of_the_door_is_kept_by_nobody_and_framed_by_nobody() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut visitor = gate.visitor();
    let form = visitor.open("/.doorward/sign-in?tenant=acme.com");
    let wrong = visitor.submit(&form, &[("username", "alex"), ("password", "wrong")]);
    let right = visitor.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
    let account = visitor.get("/.doorward/account");
    for answer in [&form.page, &wrong, &right, &account] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.all("content-security-policy").len(), 1, "two would both be obeyed");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_ne!(answer.header("referrer-policy"), None);
    }
    assert!(portal.saw_nothing(), "nothing of this is the portal's business");
}

#[test]
fn a_tenant_that_does_not_exist_has_no_door() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    let answer = gate.visitor().get("/.doorward/sign-in?tenant=nobody.test");
    assert!(answer.status == 404 && answer.text().contains("There is no tenant"));
}

#[test]
fn without_accounts_there_is_no_door() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    for path in
        ["/.doorward/sign-in", "/.doorward/sign-out", "/.doorward/account", "/.doorward/account/password"]
    {
        assert_eq!(gate.visitor().get(path).status, 404, "{path}");
    }
}

#[test]
fn texts_of_the_operator_are_taken_over_while_running_and_broken_ones_are_not_shown() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    let page = || gate.visitor().get("/.doorward/sign-in?tenant=acme.com").text();
    assert!(page().contains("User name or e-mail"));
    let folder = gate.folder().join("locales");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("en.ftl"), "sign-in-name = Staff number\n").unwrap();
    eventually(|| page().contains("Staff number"));
    std::fs::write(folder.join("en.ftl"), "sign-in-name = Staff number {\n").unwrap();
    eventually(|| page().contains("User name or e-mail"));
}
