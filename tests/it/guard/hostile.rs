//! Requests and answers by which a client would guess on: methods, spellings of the field, answers it can choose, its own sessions.

use serde_json::{Value, json};

use super::{FORM, RIGHT, form, guarded, portal, times};
use crate::support::{Portal, Reply, TestAccounts, TestProxy, double::Received};

fn guard_of_login(portal: &Portal, guard: &Value) -> TestProxy {
    TestProxy::in_front_of(portal)
        .accounts()
        .lockout(5)
        .generic(&[("/**", "open")])
        .setting("guard", json!([guard]))
        .start()
}

fn is_checked(request: &Received) -> bool {
    request.method == "POST" && String::from_utf8_lossy(&request.body).contains("password=")
}

/// Attack: four guesses, then a request that is no sign-in, names the victim and is answered with 200.
#[test]
fn attack_a_preflight_with_the_victims_name_resets_the_counter() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for method in ["OPTIONS", "GET", "HEAD"] {
        let grant = "grant_type=password&username=alex&password=x";
        let json = r#"{"username":"alex","password":"right"}"#;
        for (path, header, body) in
            [("/oauth2/token", FORM, grant), ("/api/session", "application/json", json)]
        {
            let ask = proxy.request(method, path).api_client().header("content-type", header).body(body);
            assert_eq!((ask.send().status, portal.received_nothing()), (400, true), "{method} {path}");
        }
    }
    // a preflight as browsers send it is none of this
    let preflight = proxy.request("OPTIONS", "/oauth2/token").header("origin", "https://a.example").send();
    assert_eq!((preflight.status, portal.received().len()), (400, 1), "answered by the portal");
}

/// Attack: a method that the portal answers with 200 whatever is in the body.
#[test]
fn attack_success_of_a_method_without_a_sign_in() {
    let portal = Portal::answering("")
        .route_with("/login", |request| {
            Reply::text("").status(if request.method == "POST" { 401 } else { 200 })
        })
        .start();
    let guard = json!({"match": "/login", "user_in": "form", "succeeded_status": [200]});
    let proxy = guard_of_login(&portal, &guard);
    for turn in 0..40 {
        form(&proxy, "/login", "alex", &turn.to_string()).send();
        let method = ["DELETE", "PROPFIND", "OPTIONS", "REPORT"][turn % 4];
        let reset = proxy.request(method, "/login").header("content-type", FORM);
        reset.body("username=alex&password=x").send();
    }
    assert_eq!(portal.received().iter().filter(|request| is_checked(request)).count(), 5);
}

/// Attack: the field in a spelling that the portal finds and the guard does not know. None reaches the portal.
#[test]
fn attack_a_user_name_in_a_spelling_that_only_the_portal_reads() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for body in [
        "\u{feff}username=alex&password=x",
        "[username]=alex&password=x",
        "%5Busername%5D[]=alex&password=x",
        "username[$ne]=&password=x",
        "%u0075sername=alex&password=x",
        "model.Username=alex&password=x",
        "_username=alex&password=x",
        "!username=alex&password=x",
        "user+name=alex&password=x",
        "username=decoy&[username]=alex&password=x",
        // no rule knows this one, and none has to
        "constructor[prototype][user]=alex&password=x",
        "password=x",
        "username=&password=x",
        "_method=OPTIONS&username=alex&password=x",
    ] {
        let answer = proxy.post("/login").header("content-type", FORM).body(body).send();
        assert_eq!((answer.status, portal.received_nothing()), (400, true), "{body}");
    }
    for body in ["\u{feff}{\"username\":\"alex\"}", "{\"__proto__\":{\"username\":\"alex\"}}", "{}"] {
        let answer = proxy.post("/api/session").header("content-type", "application/json").body(body).send();
        assert_eq!((answer.status, portal.received_nothing()), (400, true), "{body}");
    }
    let grant = proxy
        .post("/oauth2/token")
        .header("content-type", FORM)
        .body("grant_type=password&password=x")
        .send();
    assert_eq!(grant.json()["error"], "invalid_request");
    // an empty field is a typing error, where the portal has a page for one
    let empty =
        proxy.post("/marked").browser().header("content-type", FORM).body("username=&password=x").send();
    assert_eq!((empty.location(), portal.received_nothing()), ("/marked?error", true));
}

/// Without a name an attempt is counted for the client, where the operator lets it through.
#[test]
fn a_second_factor_is_counted_for_the_client() {
    let portal = Portal::answering("")
        .route_with("/login", |request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let to = match body.as_str() {
                "code=1" => "/home",
                "consent=yes" => "/next",
                _ => "/login?error",
            };
            Reply::text("").status(302).header("location", to)
        })
        .start();
    let proxy = guard_of_login(
        &portal,
        &json!({"match": "/login", "user_in": "form", "require_name": false,
            "succeeded_redirect": ["/home*"], "failed_redirect": ["/login?error*"]}),
    );
    let ask = |body: &str, session: &str| {
        proxy.post("/login").header("content-type", FORM).cookie("sid", session).body(body).send()
    };
    assert_eq!(times(8, |_| ask("consent=yes", "a")), [302; 8], "which shows no failure");
    for _ in 0..3 {
        assert_eq!(times(4, |_| ask("code=0", "a")), [302; 4]);
        assert_eq!(ask("code=1", "a").location(), "/home");
    }
    assert_eq!(times(6, |_| ask("code=0", "a")), [302, 302, 302, 302, 302, 401]);
    assert_eq!(ask("code=1", "b").location(), "/home", "others behind the same address go on");
}

/// Attack: the portal redirects back to `Referer`, after a wrong password too, and the client says where that is.
#[test]
fn attack_a_referer_that_looks_like_a_success() {
    let portal = Portal::answering("")
        .route_with("/login", |request| {
            let back = request.header("referer").unwrap_or("/login").to_owned();
            Reply::text("").status(302).header("location", &back)
        })
        .start();
    let guard = json!({"match": "/login", "user_in": "form", "succeeded_redirect": ["/home*"]});
    let proxy = guard_of_login(&portal, &guard);
    let home = format!("http://{}/home", proxy.authority());
    times(20, |turn| form(&proxy, "/login", "alex", &turn.to_string()).header("referer", &home).send());
    assert_eq!(portal.received().len(), 5);
    let referer = portal.last_request().header("referer").map(ToOwned::to_owned);
    assert_eq!(referer, Some(format!("http://{}/login", proxy.authority())), "a portal may want one");
    // elsewhere it is the portal's business
    proxy.get("/page").header("referer", &home).send();
    assert_eq!(portal.last_request().header("referer"), Some(home.as_str()));
}

/// Attack: the portal's page for a wrong password repeats what was typed, which is the text of the right one's.
#[test]
fn attack_a_page_that_repeats_the_text_of_a_success() {
    let portal = Portal::answering("")
        .route_with("/login", |request| Reply::text(String::from_utf8_lossy(&request.body).into_owned()))
        .start();
    let guard = json!({"match": "/login", "user_in": "form", "succeeded_body": ["Welcome"]});
    let proxy = guard_of_login(&portal, &guard);
    times(20, |turn| form(&proxy, "/login", "alex", &format!("{turn}&x=Welcome")).send());
    assert_eq!(portal.received().len(), 5);
}

/// Attack: the portal redirects a user who is already signed in to its start page, whatever name and password are sent.
#[test]
fn attack_an_own_session_with_the_victims_name() {
    let portal = Portal::answering("")
        .route_with("/login", |request| {
            let is_signed_in = request.header("cookie").is_some_and(|cookies| cookies.contains("sid=own"));
            let to = if is_signed_in { "/home" } else { "/login?error" };
            Reply::text("").status(302).header("location", to)
        })
        .start();
    let guard = json!({"match": "/login", "user_in": "form", "succeeded_redirect": ["/home*"]});
    let proxy = guard_of_login(&portal, &guard);
    for turn in 0..100 {
        let ask = form(&proxy, "/login", "alex", &turn.to_string());
        if turn % 5 == 4 { ask.cookie("sid", "own") } else { ask }.send();
    }
    let guesses = portal.received().iter().filter(|request| request.header("cookie").is_none()).count();
    assert!(guesses <= 15, "{guesses} in an hour: two rounds that are forgiven, and one that locks");
}

/// Attack: the same with a session of Doorward, by which the portal knows its user.
#[test]
fn attack_an_own_session_of_doorward_with_the_victims_name() {
    let portal = Portal::answering("")
        .route_with("/login", |request| {
            let is_known = request.header("x-forwarded-user").is_some();
            let to = if is_known { "/home" } else { "/login?error" };
            Reply::text("").status(302).header("location", to)
        })
        .start();
    let guard = json!({"match": "/login", "user_in": "form", "succeeded_redirect": ["/home*"]});
    let proxy = guard_of_login(&portal, &guard);
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("carbon.super", "mallory");
    for turn in 0..100 {
        let ask = form(&proxy, "/login", "alex", &turn.to_string());
        if turn % 5 == 4 { ask.cookie("doorward_session", &session) } else { ask }.send();
    }
    let is_guess = |request: &&Received| request.header("x-forwarded-user").is_none();
    assert_eq!(portal.received().iter().filter(is_guess).count(), 5);
}

/// Attack: guesses from many addresses, each just before the owner signs in.
#[test]
fn attack_owners_sign_in_resets_guesses_of_other_clients() {
    let portal = portal().start();
    let proxy = guarded(&portal).trusting("127.0.0.0/8").start();
    let from = |address: &str, password: &str| {
        form(&proxy, "/login", "alex", password).header("x-forwarded-for", address).send()
    };
    let mut guesses = 0;
    for turn in 0..20 {
        guesses += usize::from(from(&format!("198.51.100.{turn}"), "wrong").status == 302);
        from("192.0.2.1", RIGHT);
    }
    assert_eq!(guesses, 5);
    // a user who mistypes resets the count with a successful sign-in
    for _ in 0..2 {
        for _ in 0..4 {
            form(&proxy, "/login", "bea", "wrong").header("x-forwarded-for", "192.0.2.1").send();
        }
        let right = form(&proxy, "/login", "bea", RIGHT).header("x-forwarded-for", "192.0.2.1").send();
        assert_eq!(right.location(), "/home");
    }
}
