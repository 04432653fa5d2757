//! One's own account at the gate: sessions, and changing the password.

use serde_json::json;

use crate::support::{
    Gate, People, Portal,
    people::{Shown, Visitor},
};

fn gate(portal: &Portal) -> Gate {
    Gate::before(portal)
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
fn whoever_is_not_signed_in_signs_in_first_and_comes_back() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut visitor = gate.visitor();
    let answer = visitor.get(ACCOUNT);
    assert_eq!(answer.status, 303);
    let form = visitor.open(answer.location());
    let answer = visitor.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
    assert_eq!(answer.location(), ACCOUNT);
    assert!(visitor.get(ACCOUNT).text().contains("alex@mail.example"));
}

#[test]
fn one_browser_ends_another_and_then_all_others() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut browsers: Vec<_> = (0..4).map(|_| gate.visitor()).collect();
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
    let alive = |others: &mut [Visitor<'_>]| {
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
fn attack_ending_the_session_of_somebody_else() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    let people = People::of(&gate);
    people.add("acme.com", "alex", "correct horse");
    people.add("acme.com", "mallory", "battery staple");
    let (mut alex, mut second, mut mallory) = (gate.visitor(), gate.visitor(), gate.visitor());
    alex.sign_in("acme.com", "alex", "correct horse");
    second.sign_in("acme.com", "alex", "correct horse");
    mallory.sign_in("acme.com", "mallory", "battery staple");
    let known = session(&second.get(ACCOUNT).text(), 0);
    let mut other = gate.visitor();
    other.sign_in("acme.com", "mallory", "battery staple");
    let form = mallory.open(ACCOUNT);
    let answer = mallory.submit(&form, &[("session", &known)]);
    assert!(answer.location().ends_with("done=already"), "as if it were nobody's");
    assert!(alex.is_signed_in() && second.is_signed_in());
    // and with another website's form, or without the token
    let body = form.body(&[("session", "others")]);
    let path = "/.doorward/account/sessions?tenant=acme.com";
    assert_eq!(mallory.post(path, &body, &[("sec-fetch-site", "cross-site")]).status, 403);
    assert_eq!(mallory.post(path, "session=others", &[("sec-fetch-site", "same-origin")]).status, 403);
    assert!(other.is_signed_in());
}

#[test]
fn a_new_password_is_held_to_the_policy_and_ends_all_other_sessions() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let (mut mine, mut other) = (gate.visitor(), gate.visitor());
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
    for (current, new, again, told) in [
        ("wrong", long, long, "current password is not right"),
        ("correct horse", long, "battery stable", "not the same"),
        ("correct horse", "short", "short", "class=\"unmet\""),
        ("correct horse", "correct horse", "correct horse", "Not the one you have now"),
        ("correct horse", "", "", "Fill in every field"),
    ] {
        let answer = mine.submit(&form, &[("current", current), ("new", new), ("again", again)]);
        assert!(matches!(answer.status, 400 | 403), "{told}");
        assert!(answer.text().contains(told), "{told}: {}", answer.text());
        assert!(!answer.text().contains("value=\"correct"), "no password is ever shown again");
    }
    let answer = mine.submit(&form, &[("current", "correct horse"), ("new", long), ("again", long)]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(answer.location(), "/.doorward/account?tenant=acme.com&done=password");
    assert!(mine.get(answer.location()).text().contains("Your password is changed"));
    assert!(!other.is_signed_in());
    assert_eq!(gate.visitor().sign_in("acme.com", "alex", "correct horse").status, 403);
    assert_eq!(gate.visitor().sign_in("acme.com", "alex", long).status, 303);
}

#[test]
fn wrong_guesses_at_the_current_password_lock_like_those_at_the_door() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate).add("acme.com", "alex", "correct horse");
    let mut visitor = gate.visitor();
    let form = visitor.open(PASSWORD);
    let try_it = |visitor: &mut Visitor<'_>, current: &str| {
        let new = "battery staple";
        let fields = [("username", "alex"), ("current", current), ("new", new), ("again", new)];
        visitor.submit(&form, &fields)
    };
    for _ in 0..3 {
        assert_eq!(try_it(&mut visitor, "wrong").status, 403);
    }
    assert_eq!(try_it(&mut visitor, "correct horse").status, 403);
    assert_eq!(gate.visitor().sign_in("acme.com", "alex", "correct horse").status, 403);
}

#[test]
fn a_password_that_is_due_is_changed_on_the_way_in() {
    let portal = Portal::answering("").start();
    let gate = gate(&portal);
    People::of(&gate)
        .add_with("acme.com", "alex", "correct horse", |account| account.must_change_password = true);
    let mut visitor = gate.visitor();
    let form =
        visitor.open("/.doorward/sign-in?tenant=acme.com&to=%2Fdevportal%2Fapis%2F7%3Ftenant%3Dacme.com");
    let answer = visitor.submit(&form, &[("username", "alex"), ("password", "correct horse")]);
    assert!(answer.text().contains("set by somebody else"), "{}", answer.text());
    assert!(!visitor.is_signed_in());
    let form = Shown::of(answer);
    let new = "battery staple";
    let answer = visitor
        .submit(&form, &[("username", "alex"), ("current", "correct horse"), ("new", new), ("again", new)]);
    assert_eq!((answer.status, answer.location()), (303, "/devportal/apis/7?tenant=acme.com"));
    assert!(visitor.is_signed_in());
}

#[test]
fn password_managers_find_the_way() {
    let portal = Portal::answering("the portal's own").start();
    let answer = gate(&portal).get("/.well-known/change-password?tenant=acme.com").browser().send();
    assert_eq!((answer.status, answer.location()), (302, PASSWORD));
    // where passwords are not kept here, the address is the portal's
    let without = Gate::before(&portal).start();
    let answer = without.get("/.well-known/change-password?tenant=carbon.super").browser().send();
    assert_ne!(answer.header("location"), Some("/.doorward/account/password?tenant=carbon.super"));
}
