//! The account pages: sessions, and changing the password.

use serde_json::json;

use crate::support::{
    Portal, TestAccounts, TestProxy,
    browser::{FormPage, TestBrowser},
};

fn proxy(portal: &Portal) -> TestProxy {
    TestProxy::in_front_of(portal)
        .tenant("acme.com", &json!({"EnableAnonymous": false}))
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 3)
        .setting("password_policy.enabled", true)
        .setting("password_policy.min_length", 10)
        .setting("password_policy.max_length", 64)
        .setting("password_policy.pattern", ".*")
        .accounts()
        .start()
}

const ACCOUNT: &str = "/.doorward/account?tenant=acme.com";
const PASSWORD: &str = "/.doorward/account/password?tenant=acme.com";

/// The field that names the nth session that can be ended.
fn session(page: &str, nth: usize) -> String {
    page.split("name=\"session\" value=\"").nth(nth + 1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn account_page_redirects_to_sign_in_and_back() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browser = proxy.browser();
    let answer = browser.get(ACCOUNT);
    assert_eq!(answer.status, 303);
    let form = browser.open(answer.location());
    let answer = browser.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
    assert_eq!(answer.location(), ACCOUNT);
    assert!(browser.get(ACCOUNT).text().contains("alex@mail.example"));
}

#[test]
fn user_ends_one_session_then_all_others() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browsers: Vec<_> = (0..4).map(|_| proxy.browser()).collect();
    for browser in &mut browsers {
        browser.sign_in("acme.com", "alex", "correct horse");
    }
    let [mine, others @ ..] = browsers.as_mut_slice() else { panic!("four browsers") };
    let form = mine.open(ACCOUNT);
    assert_eq!(form.page.text().matches("<time").count(), 4);
    let one = session(&form.page.text(), 0);
    let answer = mine.submit(&form, &[("session", &one)]);
    assert_eq!((answer.status, answer.location()), (303, "/.doorward/account?tenant=acme.com&done=session"));
    assert!(mine.get(answer.location()).text().contains("That browser is signed out."));
    let alive = |others: &mut [TestBrowser<'_>]| {
        others.iter_mut().filter_map(|other| other.is_signed_in().then_some(())).count()
    };
    assert_eq!(alive(others), 2);
    let answer = mine.submit(&form, &[("session", &one)]);
    assert!(answer.location().ends_with("done=already"));
    let answer = mine.submit(&form, &[("session", "others")]);
    assert!(answer.location().ends_with("done=others"));
    assert_eq!(alive(others), 0);
    assert!(mine.is_signed_in());
}

#[test]
fn attack_ending_the_session_of_another_account() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    let accounts = TestAccounts::of(&proxy);
    accounts.add("acme.com", "alex", "correct horse");
    accounts.add("acme.com", "mallory", "battery staple");
    let (mut alex, mut second, mut mallory) = (proxy.browser(), proxy.browser(), proxy.browser());
    alex.sign_in("acme.com", "alex", "correct horse");
    second.sign_in("acme.com", "alex", "correct horse");
    mallory.sign_in("acme.com", "mallory", "battery staple");
    let known = session(&second.get(ACCOUNT).text(), 0);
    let mut other = proxy.browser();
    other.sign_in("acme.com", "mallory", "battery staple");
    let form = mallory.open(ACCOUNT);
    let answer = mallory.submit(&form, &[("session", &known)]);
    assert!(answer.location().ends_with("done=already"), "as if the session did not exist");
    assert!(alex.is_signed_in() && second.is_signed_in());
    // and with another website's form, or without the token
    let body = form.body(&[("session", "others")]);
    let path = "/.doorward/account/sessions?tenant=acme.com";
    assert_eq!(mallory.post(path, &body, &[("sec-fetch-site", "cross-site")]).status, 403);
    assert_eq!(mallory.post(path, "session=others", &[("sec-fetch-site", "same-origin")]).status, 403);
    assert!(other.is_signed_in());
}

#[test]
fn new_password_obeys_policy_and_ends_other_sessions() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let (mut mine, mut other) = (proxy.browser(), proxy.browser());
    mine.sign_in("acme.com", "alex", "correct horse");
    other.sign_in("acme.com", "alex", "correct horse");
    let form = mine.open(PASSWORD);
    let html = form.page.text();
    assert!(!html.contains("A digit"), "a pattern that lets everything pass asks for nothing");
    for part in [
        "At least 10 characters",
        "autocomplete=\"new-password\"",
        "passwordrules=\"minlength: 10",
        "readonly",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let long = "battery staple";
    for (current, new, again, message) in [
        ("wrong", long, long, "current password is not right"),
        ("correct horse", long, "battery stable", "not the same"),
        ("correct horse", "short", "short", "class=\"unmet\""),
        ("correct horse", "correct horse", "correct horse", "Not the one you have now"),
        ("correct horse", "", "", "Fill in every field"),
    ] {
        let answer = mine.submit(&form, &[("current", current), ("new", new), ("again", again)]);
        assert!(matches!(answer.status, 400 | 403), "{message}");
        assert!(answer.text().contains(message), "{message}: {}", answer.text());
        assert!(!answer.text().contains("value=\"correct"), "no password is ever shown again");
    }
    let answer = mine.submit(&form, &[("current", "correct horse"), ("new", long), ("again", long)]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(answer.location(), "/.doorward/account?tenant=acme.com&done=password");
    assert!(mine.get(answer.location()).text().contains("Your password is changed"));
    assert!(!other.is_signed_in());
    assert_eq!(proxy.browser().sign_in("acme.com", "alex", "correct horse").status, 403);
    assert_eq!(proxy.browser().sign_in("acme.com", "alex", long).status, 303);
}

#[test]
fn wrong_current_passwords_lock_like_failed_sign_ins() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut browser = proxy.browser();
    let form = browser.open(PASSWORD);
    let try_it = |browser: &mut TestBrowser<'_>, current: &str| {
        let new = "battery staple";
        let fields = [("username", "alex"), ("current", current), ("new", new), ("again", new)];
        browser.submit(&form, &fields)
    };
    for _ in 0..3 {
        assert_eq!(try_it(&mut browser, "wrong").status, 403);
    }
    assert_eq!(try_it(&mut browser, "correct horse").status, 403);
    assert_eq!(proxy.browser().sign_in("acme.com", "alex", "correct horse").status, 403);
}

#[test]
fn forced_password_change_happens_during_sign_in() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal);
    TestAccounts::of(&proxy)
        .add_with("acme.com", "alex", "correct horse", |account| account.must_change_password = true);
    let mut browser = proxy.browser();
    let form =
        browser.open("/.doorward/sign-in?tenant=acme.com&to=%2Fdevportal%2Fapis%2F7%3Ftenant%3Dacme.com");
    let answer = browser.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
    assert!(answer.text().contains("set by somebody else"), "{}", answer.text());
    assert!(!browser.is_signed_in());
    let form = FormPage::parse(answer);
    let new = "battery staple";
    let answer = browser
        .submit(&form, &[("username", "alex"), ("current", "correct horse"), ("new", new), ("again", new)]);
    assert_eq!((answer.status, answer.location()), (303, "/devportal/apis/7?tenant=acme.com"));
    assert!(browser.is_signed_in());
}

#[test]
fn well_known_change_password_redirects() {
    let portal = Portal::answering("the portal's own").start();
    let answer = proxy(&portal).get("/.well-known/change-password?tenant=acme.com").browser().send();
    assert_eq!((answer.status, answer.location()), (302, PASSWORD));
    // where passwords are not kept here, the address is the portal's
    let without = TestProxy::in_front_of(&portal).start();
    let answer = without.get("/.well-known/change-password?tenant=carbon.super").browser().send();
    assert_ne!(answer.header("location"), Some("/.doorward/account/password?tenant=carbon.super"));
}
