//! The portal's own sign-ins, guarded: what reaches the portal, what does not, and what a stranger gets to see.

mod alike;
mod pace;
mod together;
mod unlock;

use base64::{Engine, engine::general_purpose::STANDARD};
use doorward::domain::account::Account;
use serde_json::{Value, json};

use crate::support::{
    Gate, Portal, Reply,
    accounts::{Desk, with_lock, with_lock_of},
    answer::Answer,
    ask::Ask,
    double::Received,
    gate::GateBuilder,
    portal::PortalBuilder,
};

const RIGHT: &str = "correct+horse%21";
const FORM: &str = "application/x-www-form-urlencoded";

/// A portal with a sign-in of each kind. Alex's password is right; nobody else's is.
fn portal() -> PortalBuilder {
    fn knows(request: &Received, proof: &str) -> bool {
        String::from_utf8_lossy(&request.body).contains(proof)
    }
    Portal::answering("portal")
        .deciding("/login", |request| {
            let right = knows(request, &format!("password={RIGHT}"));
            Reply::text("").status(302).header("location", if right { "/home" } else { "/login?error" })
        })
        .deciding("/marked", |request| {
            let right = knows(request, &format!("password={RIGHT}"));
            Reply::trailers(if right { "<p>Welcome</p>" } else { "<p>Wrong password</p>" }, &[])
        })
        .deciding("/api/session", |request| {
            let right = knows(request, "\"password\":\"right\"");
            Reply::json(&json!({"ok": right})).status(if right { 200 } else { 401 })
        })
        .deciding("/oauth2/token", |request| {
            let right = knows(request, &format!("password={RIGHT}")) || knows(request, "refresh_token");
            if right {
                Reply::json(&json!({"access_token": "t"}))
            } else {
                Reply::json(&json!({"error": "invalid_grant"})).status(400)
            }
        })
        .deciding("/known", |request| {
            let right = request.header("authorization") == Some(&basic("alex", "right"));
            Reply::text("").status(if right { 200 } else { 401 })
        })
        .route("/basic/public", Reply::text("everybody's"))
        .deciding("/basic", |request| {
            let right = request.header("authorization") == Some(&basic("alex", "right"));
            Reply::text(if right { "in" } else { "out" }).status(if right { 200 } else { 401 })
        })
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn guards() -> Value {
    json!([
        {"match": "POST /login", "user_in": "form", "succeeded_redirect": ["/home*"]},
        {"match": "/marked", "user_in": "form", "succeeded_body": ["Welcome"], "locked_redirect": "/marked?error"},
        {"match": "/api/session", "user_in": "json", "succeeded_status": [200]},
        {"match": "/oauth2/token", "user_in": "password-grant"},
        {"match": "/basic/**", "user_in": "basic"},
        {"match": "/known/**", "user_in": "basic", "succeeded_status": [200]},
    ])
}

fn guarded(portal: &Portal) -> GateBuilder {
    guarding(with_lock(Gate::before(portal), 5))
}

fn guarding(gate: GateBuilder) -> GateBuilder {
    gate.generic(&[("/basic/**", "open"), ("/known/**", "open")]).setting("guard", guards())
}

fn form<'a>(gate: &Gate, path: &str, user: &str, password: &str) -> Ask<'a> {
    let body = format!("csrf=x&username={user}&password={password}");
    gate.post(path).browser().header("content-type", FORM).body(body)
}

fn grant(gate: &Gate, user: &str, password: &str) -> Answer {
    let body = format!("grant_type=password&username={user}&password={password}");
    gate.post("/oauth2/token").api_client().header("content-type", FORM).body(body).send()
}

fn times(count: usize, mut ask: impl FnMut(usize) -> Answer) -> Vec<u16> {
    (0..count).map(|turn| ask(turn).status).collect()
}

#[test]
fn a_form_locks_its_name_after_five_wrong_passwords() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    assert_eq!(times(5, |turn| form(&gate, "/login", "alex", &turn.to_string()).send()), [302; 5]);
    portal.forget();
    let locked = form(&gate, "/login", "alex", RIGHT).send();
    assert_eq!((locked.status, portal.saw_nothing()), (401, true), "whatever the password");
    assert!(locked.text().contains("Signing in did not work"), "{}", locked.text());
    let script =
        gate.post("/login").xhr().header("content-type", FORM).body("username=alex&password=x").send();
    assert_eq!(script.json()["status"], 401);
    // others are not concerned, and the page itself is not
    assert_eq!(form(&gate, "/login", "bob", "x").send().location(), "/login?error");
    assert_eq!(gate.get("/login").browser().send().status, 302);
}

#[test]
fn attack_a_flood_of_random_names_locks_nobody_else() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    assert_eq!(times(4, |_| form(&gate, "/login", "alex", "wrong").send()), [302; 4]);
    let name = |turn: usize| format!("{:x}", turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    assert_eq!(times(300, |turn| form(&gate, "/login", &name(turn), "wrong").send()), [302; 300]);
    assert_eq!(form(&gate, "/login", "bob", "x").send().location(), "/login?error", "the portal was asked");
    assert_eq!(form(&gate, "/login", "alex", "wrong").send().status, 302, "the fifth, as without the flood");
    assert_eq!(form(&gate, "/login", "alex", RIGHT).send().status, 401);
}

#[test]
fn the_right_password_makes_good_for_wrong_ones() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    for _ in 0..3 {
        assert_eq!(times(4, |_| form(&gate, "/login", "alex", "wrong").send()), [302; 4]);
        assert_eq!(form(&gate, "/login", "alex", RIGHT).send().location(), "/home");
    }
    // nothing but sign-ins counts
    let consent = gate.post("/login").header("content-type", FORM).body("consent=yes").send();
    assert_eq!(consent.status, 302);
}

#[test]
fn a_form_arrives_as_it_was_sent() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let body = "a=%20+%2b&&=&username=J%C3%BCrgen&password=%zz;%00\u{fc}&b";
    gate.post("/login").header("content-type", FORM).body(body).send();
    let received = portal.only();
    assert_eq!(received.body, body.as_bytes());
    assert_eq!(received.header("content-length"), Some(body.len().to_string().as_str()));
}

#[test]
fn a_text_in_the_answer_tells_and_a_locked_name_is_sent_to_the_portals_own_page() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let ask = |password| form(&gate, "/marked", "alex", password).header("accept-encoding", "gzip").send();
    assert_eq!(times(4, |_| ask("wrong")), [200; 4]);
    assert_eq!(ask(RIGHT).text(), "<p>Welcome</p>");
    for _ in 0..5 {
        let wrong = ask("wrong");
        assert_eq!((wrong.text().as_str(), wrong.complete), ("<p>Wrong password</p>", true));
    }
    assert_eq!(portal.last().header("accept-encoding"), None);
    let locked = ask(RIGHT);
    assert_eq!((locked.status, locked.location()), (302, "/marked?error"));
}

#[test]
fn json_is_read_and_refused_as_json() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let ask = |user: &str, password: &str| {
        let body = json!({"username": user, "password": password}).to_string();
        gate.post("/api/session").xhr().header("content-type", "application/json").body(body).send()
    };
    assert_eq!(times(4, |_| ask("alex", "wrong")), [401; 4]);
    assert_eq!(ask("alex", "right").status, 200);
    assert_eq!(times(5, |_| ask("alex", "wrong")), [401; 5]);
    portal.forget();
    let locked = ask("alex", "right");
    assert_eq!((locked.status, portal.saw_nothing()), (401, true));
    assert_eq!(locked.header("content-type"), Some("application/problem+json"));
}

#[test]
fn a_password_grant_is_refused_as_rfc_6749_says() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    assert_eq!(times(4, |_| grant(&gate, "alex", "wrong")), [400; 4]);
    assert_eq!(grant(&gate, "alex", RIGHT).json()["access_token"], "t");
    assert_eq!(times(5, |_| grant(&gate, "alex", "wrong")), [400; 5]);
    portal.forget();
    let locked = grant(&gate, "alex", RIGHT);
    assert_eq!((locked.status, portal.saw_nothing()), (400, true));
    assert_eq!(locked.json()["error"], "invalid_grant");
    assert_eq!(locked.header("cache-control"), Some("no-store"));
    // a grant without a password is nobody's guess
    let refresh = "grant_type=refresh_token&refresh_token=x&username=alex";
    let refresh = gate.post("/oauth2/token").header("content-type", FORM).body(refresh).send();
    assert_eq!(refresh.status, 200);
    let doubtful = gate
        .post("/oauth2/token")
        .header("content-type", FORM)
        .body("username=a&grant_type=password&username=b");
    assert_eq!(doubtful.send().json()["error"], "invalid_request");
}

#[test]
fn basic_is_refused_with_a_challenge() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let ask = |path: &str, password: &str| {
        gate.get(path).api_client().header("authorization", &basic("alex", password)).send()
    };
    assert_eq!(times(4, |turn| ask("/known/x", &turn.to_string())), [401; 4]);
    assert_eq!(ask("/known/x", "right").status, 200, "which forgives");
    assert_eq!(times(4, |turn| ask("/basic/x", &turn.to_string())), [401; 4]);
    assert_eq!(ask("/basic/x", "right").text(), "in", "of which nobody said that it is right");
    assert_eq!(ask("/basic/x", "wrong").status, 401);
    portal.forget();
    let locked = ask("/basic/x", "another");
    assert_eq!((locked.status, portal.saw_nothing()), (401, true));
    assert!(locked.header("www-authenticate").unwrap().starts_with("Basic realm="));
    assert_eq!(gate.get("/basic/x").send().text(), "out", "who sends no name is the portal's business");
}

/// A page of HTTP Basic has many parts, which come at once and all with the same credentials.
#[test]
fn a_page_of_many_parts_locks_nobody_out() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    for path in ["/basic", "/known"] {
        let statuses = in_parallel(40, |turn| {
            let part = gate.get(&format!("{path}/{turn}"));
            part.header("authorization", &basic("alex", "right")).send().status
        });
        assert_eq!(statuses, [200; 40]);
    }
}

/// Whatever the portal answers without looking at the password forgives nothing.
#[test]
fn attack_a_page_that_anybody_gets_is_no_way_to_guess_on() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let ask = |path: &str, guess: usize| {
        gate.get(path).header("authorization", &basic("alex", &guess.to_string())).send().status
    };
    for guess in 0..5 {
        assert_eq!(["/basic/public", "/basic/x"].map(|path| ask(path, guess)), [200, 401]);
    }
    assert_eq!(["/basic/public", "/basic/x"].map(|path| ask(path, 5)), [401, 401], "locked");
    // a form that arrives where the portal has another page
    for guess in 0..4 {
        form(&gate, "/login", "bob", &guess.to_string()).send();
    }
    form(&gate, "/Login/", "bob", "x").send();
    assert_eq!(form(&gate, "/login", "bob", RIGHT).send().status, 401);
}

/// One answer cannot speak for two names, nor for two passwords of one.
#[test]
fn attack_two_names_in_two_places_of_one_request() {
    let portal = portal().start();
    let both = json!([
        {"match": "/login", "user_in": "form", "succeeded_redirect": ["/home*"]},
        {"match": "/**", "user_in": "basic"},
    ]);
    let gate = guarded(&portal).setting("guard", both).generic(&[("/login", "open")]).start();
    let ask =
        |user: &str| form(&gate, "/login", "alex", RIGHT).header("authorization", &basic(user, "x")).send();
    for user in ["victim", "alex"] {
        assert_eq!((ask(user).status, portal.saw_nothing()), (400, true), "{user}");
    }
    assert_eq!(form(&gate, "/login", "alex", RIGHT).send().location(), "/home");
}

fn in_parallel<T: Send>(count: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let ask = &ask;
        let asking: Vec<_> = (0..count).map(|turn| scope.spawn(move || ask(turn))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

#[test]
fn attack_fifty_guesses_at_once_are_five() {
    let portal = portal().start();
    let gate = guarded(&portal).setting("server.workers", 2).start();
    for (path, user) in [("/login", "alex"), ("/marked", "bob")] {
        portal.forget();
        in_parallel(50, |turn| form(&gate, path, user, &turn.to_string()).send());
        assert_eq!(portal.received().len(), 5, "{path}");
    }
    portal.forget();
    in_parallel(50, |turn| grant(&gate, "carol", &turn.to_string()));
    assert_eq!(portal.received().len(), 5);
    portal.forget();
    in_parallel(50, |turn| {
        gate.get("/basic/x").header("authorization", &basic("dave", &turn.to_string())).send()
    });
    assert_eq!(portal.received().len(), 5);
}

#[test]
fn attack_fifty_guesses_at_two_replicas_are_five() {
    let portal = portal().start();
    let here = guarded(&portal).start();
    let there = guarding(with_lock_of(Gate::before(&portal), here.folder(), 5)).start();
    in_parallel(50, |turn| {
        form(if turn % 2 == 0 { &here } else { &there }, "/login", "alex", &turn.to_string()).send()
    });
    assert_eq!(portal.received().len(), 5);
    portal.forget();
    for gate in [&here, &there] {
        assert_eq!(form(gate, "/login", "alex", RIGHT).send().status, 401);
    }
    assert!(portal.saw_nothing());
}

/// An account of Doorward's, by its name: what an administrator closes is closed at the portal's door as well.
#[test]
fn a_disabled_or_locked_account_does_not_get_through_to_the_portal() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let desk = Desk::of(gate.folder());
    for (name, close) in [("alex", Desk::disable as fn(&Desk, &Account)), ("bob", Desk::lock)] {
        let account = desk.account("carbon.super", name);
        assert_eq!(form(&gate, "/login", name, RIGHT).send().location(), "/home");
        close(&desk, &account);
        portal.forget();
        for spelling in
            [name.to_owned(), format!("{}%40carbon.super", name.to_uppercase()), format!("PRIMARY/{name}")]
        {
            let answer = form(&gate, "/login", &spelling, RIGHT).send();
            assert_eq!((answer.status, portal.saw_nothing()), (401, true), "{spelling}");
        }
    }
}

/// Attack: account enumeration. What an administrator has closed is refused like any name that was guessed at too often, also
/// one that nobody has.
#[test]
fn attack_a_closed_account_is_refused_in_the_words_of_a_lock_that_any_name_gets() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let desk = Desk::of(gate.folder());
    desk.lock(&desk.account("carbon.super", "locked"));
    desk.disable(&desk.account("carbon.super", "disabled"));
    times(5, |_| form(&gate, "/login", "nobody", "wrong").send());
    let doors: [&dyn Fn(&str) -> Answer; 5] = [
        &|name| form(&gate, "/login", name, "wrong").send(),
        &|name| form(&gate, "/marked", name, "wrong").send(),
        &|name| {
            gate.post("/api/session")
                .xhr()
                .body(json!({"username": name, "password": "x"}).to_string())
                .header("content-type", "application/json")
                .send()
        },
        &|name| grant(&gate, name, "wrong"),
        &|name| gate.get("/basic/x").api_client().header("authorization", &basic(name, "wrong")).send(),
    ];
    let said = |answer: &Answer| answer.text().replace(answer.header("x-request-id").unwrap(), "");
    portal.forget();
    for (number, door) in doors.into_iter().enumerate() {
        let guessed = door("nobody");
        for closed in ["locked", "disabled"] {
            let answer = door(closed);
            assert_eq!(answer.head(), guessed.head(), "{number} {closed}");
            assert_eq!(said(&answer), said(&guessed), "{number} {closed}");
        }
    }
    assert!(portal.saw_nothing());
}

#[test]
fn attack_another_spelling_of_the_name_is_the_same_name() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
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
        assert_ne!(form(&gate, path, user, "wrong").send().status, 401, "{path} {user}");
    }
    portal.forget();
    for user in ["alex", "John%20Smith"] {
        assert_eq!(form(&gate, "/login", user, RIGHT).send().status, 401, "{user}");
    }
    assert!(portal.saw_nothing());
}

/// What two programs could read as two names reaches no portal, and is counted for nobody.
#[test]
fn attack_ambiguous_sign_ins_reach_no_portal() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
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
        let answer = gate.post(path).api_client().header("content-type", header).body(body).send();
        assert_eq!((answer.status, portal.saw_nothing()), (status, true), "{what}: {}", answer.text());
    }
    let gzip = gate.post("/login").header("content-type", FORM).header("content-encoding", "gzip");
    assert_eq!((gzip.body("\u{1f}\u{8b}username=alex").send().status, portal.saw_nothing()), (415, true));
    let get = gate.get("/login?username=alex&password=right").browser().send();
    assert_eq!((get.status, portal.saw_nothing()), (400, true), "by another method");
    for odd in ["Basic  YWxleDp4", "basic\tYWxleDp4", "Basic YWxleDp4eA", "Basic !"] {
        let answer = gate.get("/basic/x").header("authorization", odd).send();
        assert_eq!((answer.status, portal.saw_nothing()), (400, true), "{odd}");
    }
    assert_eq!(form(&gate, "/login", "alex", RIGHT).send().location(), "/home");
}

#[test]
fn attack_a_name_spread_over_chunks_is_found() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let chunked = || {
        let head = format!(
            "POST /login HTTP/1.1\r\nhost: {}\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n",
            gate.authority()
        );
        let mut wire = gate.raw(head);
        for piece in ["user", "name=al", "ex&pass", "word=wrong"] {
            wire.write(format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
        wire.write("0\r\n\r\n");
        wire.answer("POST").unwrap().status
    };
    assert_eq!(std::array::from_fn::<_, 6, _>(|_| chunked()), [302, 302, 302, 302, 302, 401]);
    assert_eq!(portal.last().body, b"username=alex&password=wrong");
}

#[test]
fn attack_a_body_without_end_is_refused_on_guarded_endpoints_only() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let large = format!("x={}&username=alex", "y".repeat(64 * 1024));
    let post = |path: &str| gate.post(path).header("content-type", FORM).body(large.as_str()).send().status;
    assert_eq!(post("/login"), 413);
    assert!(portal.saw_nothing());
    assert_eq!(post("/upload"), 200);
    let mut wire = gate.raw(format!(
        "POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n"
    ));
    wire.write(format!("{:x}\r\n{large}\r\n", large.len()));
    assert_eq!(wire.answer("POST").unwrap().status, 413);
}

#[test]
fn what_is_not_guarded_is_not_looked_at() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let odd = "username=a&username=b&Username=c";
    for path in ["/logins", "/other/login", "/"] {
        let answer = gate.post(path).header("content-type", "multipart/form-data").body(odd).send();
        assert_eq!((answer.status < 400, portal.last().body), (true, odd.as_bytes().to_vec()), "{path}");
    }
}

/// What the portal has not seen is no guess.
#[test]
fn a_portal_that_is_down_locks_nobody_out() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    portal.die();
    assert_eq!(times(8, |_| form(&gate, "/login", "alex", RIGHT).send()), [502; 8]);
}

#[test]
fn a_tenant_guards_its_own_sign_in_and_locks_its_own_people() {
    let portal = portal().start();
    let own = json!({"EnableAnonymous": true, "Doorward": {"guards": [
        {"match": "/marked", "user_in": "form", "failed_body": ["Wrong"], "succeeded_body": ["Welcome"]},
    ]}});
    let gate = with_lock(Gate::before(&portal), 5)
        .generic(&[])
        .tenant("acme.com", &own)
        .tenant("beta.com", &json!({"EnableAnonymous": true}))
        .start();
    let ask = |tenant: &str| form(&gate, &format!("/marked?tenant={tenant}"), "alex", "x").send().status;
    assert_eq!(times_of(6, || ask("acme.com")), [200, 200, 200, 200, 200, 401]);
    assert_eq!(times_of(6, || ask("beta.com")), [200; 6], "no guard there");
}

/// What cannot be counted is not let through.
#[test]
fn a_guard_without_a_store_lets_nobody_sign_in() {
    let portal = portal().start();
    let own =
        json!({"Doorward": {"guards": [{"match": "/login", "user_in": "form", "succeeded_status": [302]}]}});
    let gate = Gate::before(&portal).generic(&[]).tenant("acme.com", &own).start();
    let answer = form(&gate, "/login?tenant=acme.com", "alex", RIGHT).send();
    assert_eq!((answer.status, portal.saw_nothing()), (503, true));
    assert_eq!(gate.get("/login?tenant=acme.com").browser().send().status, 302, "the page is there");
}

fn times_of(count: usize, mut ask: impl FnMut() -> u16) -> Vec<u16> {
    (0..count).map(|_| ask()).collect()
}

#[test]
fn attack_no_password_is_kept_or_logged() {
    let portal = portal().start();
    let builder = guarded(&portal);
    let folder = builder.folder().to_owned();
    let log = folder.join("access.log");
    let gate = builder.setting("log.access", log.display().to_string()).setting("log.level", "trace").start();
    for password in ["hunter2-secret", RIGHT] {
        form(&gate, "/login", "alex", password).send();
        grant(&gate, "alex", password);
        gate.get("/basic/x").header("authorization", &basic("alex", password)).send();
    }
    crate::support::eventually(|| std::fs::read_to_string(&log).is_ok_and(|text| text.lines().count() == 6));
    for file in
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        for secret in ["hunter2-secret", RIGHT, &basic("alex", RIGHT)[6..]] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {secret}", file.display());
        }
    }
}

/// Attack: what says that the password was wrong stands where it is not found: in another language or coding, in a part that was
/// not asked for, behind what is searched.
#[test]
fn attack_an_answer_that_hides_what_it_says_is_a_wrong_password() {
    let portal = Portal::answering("portal")
        .deciding("/login", |request| {
            let has = |name| request.header(name).is_some();
            let body = String::from_utf8_lossy(&request.body);
            let says = if request.header("accept-language") == Some("de") { "Falsch" } else { "Wrong" };
            let answer = Reply::text(format!("Welcome {body} {says}"));
            let chosen = ["range", "if-none-match", "if-modified-since"].into_iter().any(has);
            if chosen {
                Reply::text("Welcome")
            } else if body.contains("how=gzip") {
                answer.header("content-encoding", "gzip")
            } else if body.contains("how=part") {
                Reply::text("Welcome").status(206)
            } else {
                answer
            }
        })
        .start();
    let guard = json!([
        {"match": "/login", "user_in": "form", "succeeded_status": [200, 206], "failed_body": ["Wrong"]},
    ]);
    let gate = with_lock(Gate::before(&portal), 5).generic(&[]).setting("guard", guard).start();
    let padding = "x".repeat(20_000);
    for (user, how, header) in [
        ("a", "", ("accept-language", "de")),
        ("b", "", ("range", "bytes=0-1")),
        ("c", "", ("if-none-match", "\"x\"")),
        ("d", "", ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT")),
        ("e", "gzip", ("x-a", "b")),
        ("f", "part", ("x-a", "b")),
        ("g", &padding, ("x-a", "b")),
    ] {
        portal.forget();
        for turn in 0..10 {
            let password = format!("{turn}&how={how}");
            form(&gate, "/login", user, &password).header(header.0, header.1).send();
        }
        assert_eq!(portal.received().len(), 5, "{user}");
    }
}

/// Attack: the same name at another tenant's door, each with five guesses of its own.
#[test]
fn attack_a_fresh_counter_at_every_tenants_door() {
    let portal = portal().start();
    let open = json!({"EnableAnonymous": true});
    let gate = guarded(&portal).tenant("acme.com", &open).tenant("beta.com", &open).start();
    for user in ["alex", "bob%40acme.com"] {
        portal.forget();
        for path in ["/login", "/login?tenant=acme.com", "/login?tenant=beta.com"] {
            times(5, |turn| form(&gate, path, user, &turn.to_string()).send());
            times(5, |turn| form(&gate, path, user, &turn.to_string()).tenant("acme.com").send());
        }
        assert_eq!(portal.received().len(), 5, "{user}");
    }
    // the suffix says whose name it is
    assert_eq!(form(&gate, "/login", "alex%40acme.com", RIGHT).send().location(), "/home");
}

/// Attack: to a database that overlooks accents all of these are one name.
#[test]
fn attack_a_fresh_counter_for_every_accent() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    for user in [
        "alex",
        "%C3%A1lex",
        "%C3%A0lex",
        "al%C3%A9x",
        "a%CC%81%CC%82lex",
        "%C3%81LEX",
        "alex%40carbon.super",
    ] {
        times(5, |turn| form(&gate, "/login", user, &turn.to_string()).send());
    }
    assert_eq!(portal.received().len(), 5);
    // and an account of ours cannot be passed by in that way
    let desk = Desk::of(gate.folder());
    desk.disable(&desk.account("carbon.super", "bob"));
    portal.forget();
    let answer = form(&gate, "/login", "b%C3%B6b", RIGHT).send();
    assert_eq!((answer.status, portal.saw_nothing()), (401, true));
}

/// Attack: an answer that breaks off, made to by the request, hides that the password was wrong.
#[test]
fn attack_a_portal_that_stumbles_gives_no_guess_back() {
    let portal = Portal::answering("portal").route("/login", Reply::raw("HTTP/1.1 302 Fo")).start();
    let gate = guarded(&portal).start();
    let statuses = times(8, |turn| form(&gate, "/login", "alex", &turn.to_string()).send());
    assert_eq!(statuses, [502, 502, 502, 502, 502, 401, 401, 401]);
    assert_eq!(portal.received().len(), 5);
}
