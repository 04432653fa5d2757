//! The guard on each kind of sign-in: a form, JSON, the password grant, HTTP Basic.

use serde_json::json;

use super::{FORM, RIGHT, basic, form, grant, guarded, in_parallel, portal, times};

#[test]
fn a_form_locks_its_name_after_five_wrong_passwords() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    assert_eq!(times(5, |turn| form(&proxy, "/login", "alex", &turn.to_string()).send()), [302; 5]);
    portal.clear_received();
    let locked = form(&proxy, "/login", "alex", RIGHT).send();
    assert_eq!((locked.status, portal.received_nothing()), (401, true), "whatever the password");
    assert!(locked.text().contains("Signing in did not work"), "{}", locked.text());
    let script =
        proxy.post("/login").xhr().header("content-type", FORM).body("username=alex&password=x").send();
    assert_eq!(script.json()["status"], 401);
    // others are not concerned, and the page itself is not
    assert_eq!(form(&proxy, "/login", "bob", "x").send().location(), "/login?error");
    assert_eq!(proxy.get("/login").browser().send().status, 302);
}

#[test]
fn right_password_resets_the_counter() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for _ in 0..3 {
        assert_eq!(times(4, |_| form(&proxy, "/login", "alex", "wrong").send()), [302; 4]);
        assert_eq!(form(&proxy, "/login", "alex", RIGHT).send().location(), "/home");
    }
}

#[test]
fn a_form_arrives_as_it_was_sent() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let body = "a=%20+%2b&&=&username=J%C3%BCrgen&password=%zz;%00\u{fc}&b";
    proxy.post("/login").header("content-type", FORM).body(body).send();
    let received = portal.only_request();
    assert_eq!(received.body, body.as_bytes());
    assert_eq!(received.header("content-length"), Some(body.len().to_string().as_str()));
}

#[test]
fn body_marker_decides_and_a_locked_name_is_redirected() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let ask = |password| form(&proxy, "/marked", "alex", password).header("accept-encoding", "gzip").send();
    assert_eq!(times(4, |_| ask("wrong")), [200; 4]);
    assert_eq!(ask(RIGHT).text(), "<p>Welcome</p>");
    for _ in 0..5 {
        let wrong = ask("wrong");
        assert_eq!((wrong.text().as_str(), wrong.complete), ("<p>Wrong password</p>", true));
    }
    assert_eq!(portal.last_request().header("accept-encoding"), None);
    let locked = ask(RIGHT);
    assert_eq!((locked.status, locked.location()), (302, "/marked?error"));
}

#[test]
fn json_is_read_and_refused_as_json() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let ask = |user: &str, password: &str| {
        let body = json!({"username": user, "password": password}).to_string();
        proxy.post("/api/session").xhr().header("content-type", "application/json").body(body).send()
    };
    assert_eq!(times(4, |_| ask("alex", "wrong")), [401; 4]);
    assert_eq!(ask("alex", "right").status, 200);
    assert_eq!(times(5, |_| ask("alex", "wrong")), [401; 5]);
    portal.clear_received();
    let locked = ask("alex", "right");
    assert_eq!((locked.status, portal.received_nothing()), (401, true));
    assert_eq!(locked.header("content-type"), Some("application/problem+json"));
}

#[test]
fn a_password_grant_is_refused_as_rfc_6749_says() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    assert_eq!(times(4, |_| grant(&proxy, "alex", "wrong")), [400; 4]);
    assert_eq!(grant(&proxy, "alex", RIGHT).json()["access_token"], "t");
    assert_eq!(times(5, |_| grant(&proxy, "alex", "wrong")), [400; 5]);
    portal.clear_received();
    let locked = grant(&proxy, "alex", RIGHT);
    assert_eq!((locked.status, portal.received_nothing()), (400, true));
    assert_eq!(locked.json()["error"], "invalid_grant");
    assert_eq!(locked.header("cache-control"), Some("no-store"));
    // a grant without a password is not counted
    let refresh = "grant_type=refresh_token&refresh_token=x&username=alex";
    let refresh = proxy.post("/oauth2/token").header("content-type", FORM).body(refresh).send();
    assert_eq!(refresh.status, 200);
    let doubtful = proxy
        .post("/oauth2/token")
        .header("content-type", FORM)
        .body("username=a&grant_type=password&username=b");
    assert_eq!(doubtful.send().json()["error"], "invalid_request");
}

#[test]
fn basic_is_refused_with_a_challenge() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let ask = |path: &str, password: &str| {
        proxy.get(path).api_client().header("authorization", &basic("alex", password)).send()
    };
    assert_eq!(times(4, |turn| ask("/known/x", &turn.to_string())), [401; 4]);
    assert_eq!(ask("/known/x", "right").status, 200, "which forgives");
    assert_eq!(times(4, |turn| ask("/basic/x", &turn.to_string())), [401; 4]);
    assert_eq!(ask("/basic/x", "right").text(), "in", "which no rule describes as a success");
    assert_eq!(ask("/basic/x", "wrong").status, 401);
    portal.clear_received();
    let locked = ask("/basic/x", "another");
    assert_eq!((locked.status, portal.received_nothing()), (401, true));
    assert!(locked.header("www-authenticate").unwrap().starts_with("Basic realm="));
    assert_eq!(proxy.get("/basic/x").send().text(), "out", "a request without a name is left to the portal");
}

/// A page of HTTP Basic has many parts, which come at once and all with the same credentials.
#[test]
fn parallel_basic_requests_of_a_page_do_not_lock() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for path in ["/basic", "/known"] {
        let statuses = in_parallel(40, |turn| {
            let part = proxy.get(&format!("{path}/{turn}"));
            part.header("authorization", &basic("alex", "right")).send().status
        });
        assert_eq!(statuses, [200; 40]);
    }
}
