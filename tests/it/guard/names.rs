//! The counter of a name: spellings, several names in one request, tenants.

use serde_json::json;

use super::{FORM, RIGHT, basic, form, guarded, portal, times, times_of};
use crate::support::{TestAccounts, TestProxy};

/// One answer cannot speak for two names, nor for two passwords of one.
#[test]
fn attack_two_names_in_two_places_of_one_request() {
    let portal = portal().start();
    let both = json!([
        {"match": "/login", "user_in": "form", "succeeded_redirect": ["/home*"]},
        {"match": "/**", "user_in": "basic"},
    ]);
    let proxy = guarded(&portal).setting("guard", both).generic(&[("/login", "open")]).start();
    let ask =
        |user: &str| form(&proxy, "/login", "alex", RIGHT).header("authorization", &basic(user, "x")).send();
    for user in ["victim", "alex"] {
        assert_eq!((ask(user).status, portal.received_nothing()), (400, true), "{user}");
    }
    assert_eq!(form(&proxy, "/login", "alex", RIGHT).send().location(), "/home");
}

#[test]
fn attack_another_spelling_of_the_name_is_the_same_name() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for (path, user) in [
        ("/login", "alex"),
        ("/Login", "ALEX"),
        ("/login/", "alex++"),
        ("/%6Cogin", "%20alex"),
        ("/login", "%EF%BD%81lex"),
        // the same blank in two encodings
        ("/login", "john+smith"),
        ("/login", "john%20smith"),
        ("/login", "John+Smith"),
        ("/login", "+john+smith"),
        ("/login", "john%20smith%20"),
    ] {
        assert_ne!(form(&proxy, path, user, "wrong").send().status, 401, "{path} {user}");
    }
    portal.clear_received();
    for user in ["alex", "John%20Smith"] {
        assert_eq!(form(&proxy, "/login", user, RIGHT).send().status, 401, "{user}");
    }
    assert!(portal.received_nothing());
}

/// Attack: a path that only the portal folds to that of its sign-in, where no guess is counted.
#[test]
fn attack_path_that_some_portals_read_as_the_sign_in() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for path in ["/log%c4%b1n", "/%ef%bd%8cogin", "/login%3fx", "/login%23", "/log%C4%B0n"] {
        assert_ne!(form(&proxy, path, "alex", "wrong").send().status, 401, "{path}");
    }
    assert_eq!(portal.received().len(), 5, "none is refused");
    portal.clear_received();
    let answer = form(&proxy, "/login", "alex", RIGHT).send();
    assert_eq!((answer.status, portal.received_nothing()), (401, true));
}

/// A name that two parsers could read differently never reaches the portal and is not counted.
#[test]
fn attack_ambiguous_sign_ins_reach_no_portal() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let multipart = "--x\r\ncontent-disposition: form-data; name=\"username\"\r\n\r\nalex\r\n--x--\r\n";
    for (what, path, header, body, status) in [
        ("duplicate username fields", "/login", FORM, "username=decoy&username=alex&password=x", 400),
        ("mixed case of the field", "/login", FORM, "Username=alex&password=x", 400),
        ("both cases", "/login", FORM, "username=decoy&USERNAME=alex&password=x", 400),
        ("encoded field name", "/login", FORM, "user%6Eame=alex&password=x", 400),
        ("a list", "/login", FORM, "username[]=alex&password=x", 400),
        ("semicolon", "/login", FORM, "a=b;username=alex&password=x", 400),
        ("NUL in the name", "/login", FORM, "username=alex%00x&password=x", 400),
        ("NUL in the field", "/login", FORM, "username%00=alex&password=x", 400),
        ("no UTF-8", "/login", FORM, "username=%ff&password=x", 400),
        ("a broken encoding", "/login", FORM, "username=%zz&password=x", 400),
        ("the query instead", "/login?username=alex", FORM, "password=x", 400),
        ("the query beside", "/login?username=alex", FORM, "username=decoy&password=x", 400),
        ("the query, spelt otherwise", "/login?x&UserName=alex", FORM, "password=x", 400),
        ("multipart", "/login", "multipart/form-data; boundary=x", multipart, 415),
        ("JSON instead", "/login", "application/json", "{\"username\":\"alex\"}", 415),
        ("plain text", "/login", "text/plain", "username=alex&password=x", 415),
        (
            "another charset",
            "/login",
            "application/x-www-form-urlencoded; charset=utf-16",
            "username=alex",
            415,
        ),
        (
            "JSON members twice",
            "/api/session",
            "application/json",
            "{\"username\":\"decoy\",\"username\":\"alex\"}",
            400,
        ),
        ("a JSON member in another case", "/api/session", "application/json", "{\"userName\":\"alex\"}", 400),
        ("a form instead of JSON", "/api/session", FORM, "username=alex&password=right", 415),
    ] {
        let answer = proxy.post(path).api_client().header("content-type", header).body(body).send();
        assert_eq!((answer.status, portal.received_nothing()), (status, true), "{what}: {}", answer.text());
    }
    let gzip = proxy.post("/login").header("content-type", FORM).header("content-encoding", "gzip");
    assert_eq!(
        (gzip.body("\u{1f}\u{8b}username=alex").send().status, portal.received_nothing()),
        (415, true)
    );
    let get = proxy.get("/login?username=alex&password=right").browser().send();
    assert_eq!((get.status, portal.received_nothing()), (400, true), "by another method");
    for odd in ["Basic  YWxleDp4", "basic\tYWxleDp4", "Basic YWxleDp4eA", "Basic !"] {
        let answer = proxy.get("/basic/x").header("authorization", odd).send();
        assert_eq!((answer.status, portal.received_nothing()), (400, true), "{odd}");
    }
    assert_eq!(form(&proxy, "/login", "alex", RIGHT).send().location(), "/home");
}

#[test]
fn tenant_guard_counts_only_its_own_users() {
    let portal = portal().start();
    let own = json!({"EnableAnonymous": true, "Doorward": {"guards": [
        {"match": "/marked", "user_in": "form", "failed_body": ["Wrong"], "succeeded_body": ["Welcome"]},
    ]}});
    let proxy = TestProxy::in_front_of(&portal)
        .accounts()
        .lockout(5)
        .generic(&[])
        .tenant("acme.com", &own)
        .tenant("beta.com", &json!({"EnableAnonymous": true}))
        .start();
    let ask = |tenant: &str| form(&proxy, &format!("/marked?tenant={tenant}"), "alex", "x").send().status;
    assert_eq!(times_of(6, || ask("acme.com")), [200, 200, 200, 200, 200, 401]);
    assert_eq!(times_of(6, || ask("beta.com")), [200; 6], "no guard there");
}

/// Attack: the same name at another tenant's sign-in, each with its own five guesses.
#[test]
fn attack_new_counter_at_every_tenant() {
    let portal = portal().start();
    let open = json!({"EnableAnonymous": true});
    let proxy = guarded(&portal).tenant("acme.com", &open).tenant("beta.com", &open).start();
    for user in ["alex", "bob%40acme.com"] {
        portal.clear_received();
        for path in ["/login", "/login?tenant=acme.com", "/login?tenant=beta.com"] {
            times(5, |turn| form(&proxy, path, user, &turn.to_string()).send());
            times(5, |turn| form(&proxy, path, user, &turn.to_string()).tenant("acme.com").send());
        }
        assert_eq!(portal.received().len(), 5, "{user}");
    }
    // the suffix says whose name it is
    assert_eq!(form(&proxy, "/login", "alex%40acme.com", RIGHT).send().location(), "/home");
}

/// Attack: to a database that overlooks accents all of these are one name.
#[test]
fn attack_new_counter_for_every_accent() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for user in [
        "alex",
        "%C3%A1lex",
        "%C3%A0lex",
        "al%C3%A9x",
        "a%CC%81%CC%82lex",
        "%C3%81LEX",
        "alex%40carbon.super",
    ] {
        times(5, |turn| form(&proxy, "/login", user, &turn.to_string()).send());
    }
    assert_eq!(portal.received().len(), 5);
    // an account of ours cannot be bypassed by it
    let accounts = TestAccounts::of(&proxy);
    accounts.disable(&accounts.add_without_password("carbon.super", "bob"));
    portal.clear_received();
    let answer = form(&proxy, "/login", "b%C3%B6b", RIGHT).send();
    assert_eq!((answer.status, portal.received_nothing()), (401, true));
}
