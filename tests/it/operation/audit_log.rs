//! The audit log as a monitoring system receives it: from a file, and as a syslog server.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    Binary, Portal, Reply, TestAccounts, TestProxy, binary::doorward, eventually, proxy::TestProxyBuilder,
};

const RIGHT: &str = "correct horse battery";

/// With the account `alex`, locked by two wrong passwords.
pub(super) fn auditing(portal: &Portal, target: &str) -> TestProxyBuilder {
    let proxy = TestProxy::in_front_of(portal)
        .generic(&[("/**", "signed-in")])
        .accounts()
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 2)
        .setting("log.audit", target)
        // events below the log level are in the audit log
        .setting("log.level", "warn,doorward::audit=off,doorward::cli=info");
    TestAccounts::in_folder(proxy.folder()).add("carbon.super", "alex", RIGHT);
    proxy
}

pub(super) fn attempt(binary: &Binary) -> String {
    let answer = binary
        .post("/.doorward/sign-in?tenant=carbon.super")
        .header("accept", "text/html")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("username=alex&password=wrong")
        .send();
    assert_eq!(answer.status, 403);
    answer.header("x-request-id").unwrap().to_owned()
}

pub(super) fn events(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(super) fn actions(file: &Path) -> Vec<String> {
    events(file).iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

/// The JSON of a message, whose header is checked.
pub(super) fn event_of(message: &str) -> Value {
    let (header, json) = message.split_once(" - {").unwrap();
    let words: Vec<_> = header.split(' ').collect();
    let event: Value = serde_json::from_str(&format!("{{{json}")).unwrap();
    let priority = if event["action"] == "lockout.set" { "<84>1" } else { "<86>1" };
    assert_eq!((words.len(), words[0], words[3]), (6, priority, "doorward"), "{message}");
    assert_eq!((words[1], words[5]), (event["time"].as_str().unwrap(), event["action"].as_str().unwrap()));
    event
}

#[test]
fn sign_ins_lockouts_sessions_and_changes_are_in_the_audit_file() {
    let portal = Portal::answering("").start();
    let mut binary = auditing(&portal, "audit.log").serve();
    let file = binary.folder().join("audit.log");
    let mut browser = binary.browser();
    browser.sign_in("carbon.super", "alex", RIGHT);
    eventually(|| actions(&file) == ["login.succeeded", "session.started"]);
    let request = attempt(&binary);
    attempt(&binary);
    eventually(|| actions(&file)[2..] == ["login.rejected", "lockout.set", "login.rejected"]);
    let rejected = &events(&file)[2];
    assert_eq!((&rejected["request_id"], &rejected["channel"]), (&request.into(), &"form".into()));
    let lock = &events(&file)[3];
    assert_eq!((&lock["address"], &lock["user"]), (&"127.0.0.1".into(), &"alex".into()));
    let config = binary.folder().join("deployment.toml").display().to_string();
    for words in [["user", "lock", "alex"], ["user", "unlock", "alex"]] {
        assert!(doorward(words.into_iter().chain(["--config", &config])).status.success());
    }
    assert_eq!(actions(&file)[5..], ["account.locked", "account.unlocked"]);
    for event in &events(&file)[5..] {
        assert_eq!((&event["tenant"], &event["user"]), (&"carbon.super".into(), &"alex".into()));
        assert_eq!(event["account"], rejected["account"]);
        assert!(event["actor"].as_str().unwrap().starts_with("command line"), "{event}");
    }
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
    assert!(!fs::read_to_string(&file).unwrap().contains("wrong\""), "no password is in it");
}

#[test]
fn attempts_at_a_guard_are_audited_without_unknown_names() {
    let portal = Portal::answering("")
        .route_with("/login", |request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let location = if body.contains("password=right") { "/home" } else { "/login?error" };
            Reply::text("").status(302).header("location", location)
        })
        .start();
    let guard = json!([{"match": "/login", "user_in": "form", "failed_redirect": ["/login?error*"],
        "succeeded_redirect": ["/home*"]},
        {"match": "/otp", "user_in": "form", "require_name": false, "failed_status": [401]}]);
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "open")])
        .accounts()
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 3)
        .setting("guard", guard)
        .setting("log.audit", "audit.log");
    TestAccounts::in_folder(proxy.folder()).add("carbon.super", "alex", RIGHT);
    let binary = proxy.serve();
    let file = binary.folder().join("audit.log");
    let sign_in = |path: &str, body: &str| {
        let ask = binary.post(path).header("content-type", "application/x-www-form-urlencoded");
        ask.body(body.to_owned()).send();
    };
    sign_in("/login", "username=alex&password=right");
    for _ in 0..4 {
        sign_in("/login", "username=alex&password=wrong");
    }
    sign_in("/login", "username=hunter2&password=wrong");
    sign_in("/otp", "code=1");
    let expected = [
        ("login.succeeded", "succeeded", true),
        ("login.rejected", "failed", true),
        ("login.rejected", "failed", true),
        ("login.rejected", "failed", true),
        ("login.rejected", "refused", true),
        ("login.rejected", "failed", false),
        ("login.undecided", "neutral", false),
    ];
    let at_guard =
        || events(&file).into_iter().filter(|event| event["channel"] == "guard").collect::<Vec<_>>();
    eventually(|| at_guard().len() == expected.len());
    for (event, (action, outcome, has_account)) in at_guard().iter().zip(expected) {
        assert_eq!((&event["action"], &event["outcome"]), (&action.into(), &outcome.into()), "{event}");
        assert_eq!(event["account"].is_string(), has_account, "{event}");
        assert_eq!((&event["tenant"], &event["address"]), (&"carbon.super".into(), &"127.0.0.1".into()));
        assert!(event["request_id"].is_string(), "{event}");
    }
    assert!(!fs::read_to_string(&file).unwrap().contains("hunter2"));
}

/// A portal that never answers a body with `hold`, breaks off after `break`, and says that every other password is wrong.
fn guarding_portal() -> Portal {
    Portal::answering("")
        .route_with("/", |request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let wrong = Reply::text("").status(302).header("location", "/login?error");
            match () {
                () if body.contains("hold") => Reply::raw_then_silence(""),
                () if body.contains("break") => Reply::raw("HTTP/1.1 302 Fo"),
                () => wrong,
            }
        })
        .start()
}

fn guarding(portal: &Portal) -> Binary {
    let guard = json!([{"match": "/login", "user_in": "form", "failed_redirect": ["/login?error*"],
        "succeeded_redirect": ["/home*"]},
        {"match": "/otp", "user_in": "form", "require_name": false, "failed_redirect": ["/login?error*"],
        "succeeded_redirect": ["/home*"]}]);
    let proxy = TestProxy::in_front_of(portal)
        .generic(&[("/**", "open")])
        .accounts()
        .trusting("127.0.0.0/8")
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 3)
        .setting("guard", guard)
        .setting("log.audit", "audit.log");
    TestAccounts::in_folder(proxy.folder()).add("carbon.super", "alex", RIGHT);
    proxy.serve()
}

fn at_guard(binary: &Binary) -> Vec<Value> {
    let events = events(&binary.folder().join("audit.log"));
    events.into_iter().filter(|event| event["channel"] == "guard").collect()
}

/// Attack: the client hangs up before the answer, so that its guesses are counted and in no audit log.
#[test]
fn attack_client_hangs_up_and_its_guess_is_not_audited() {
    let portal = guarding_portal();
    let binary = guarding(&portal);
    let sign_in = |path: &str, body: &str| {
        let ask = binary.post(path).header("x-forwarded-for", "192.0.2.1");
        ask.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned())
    };
    for (turn, (path, body, has_account)) in [
        ("/login", "username=alex&password=hold", true),
        ("/login", "username=hunter2&password=hold", false),
        ("/otp", "code=hold", false),
        // one event each, where the portal fails
        ("/login", "username=alex&password=break", true),
        ("/otp", "code=break", false),
        ("/login", "username=hunter2&password=wrong", false),
    ]
    .into_iter()
    .enumerate()
    {
        let wire = sign_in(path, body).open();
        eventually(|| portal.received().len() > turn);
        if body.contains("hold") {
            drop(wire);
        }
        eventually(|| at_guard(&binary).len() > turn);
        let seen = at_guard(&binary);
        assert_eq!(seen.len(), turn + 1, "{body}: {seen:?}");
        let event = &seen[turn];
        assert_eq!((&event["action"], &event["outcome"]), (&"login.rejected".into(), &"failed".into()));
        assert_eq!(event["account"].is_string(), has_account, "{event}");
        assert_eq!(event["address"], "192.0.2.1");
        assert!(event["request_id"].is_string(), "{event}");
    }
}

/// Attack: refusals of a locked name cost the client nothing, and each of them fills the logs.
#[test]
fn attack_refused_guesses_fill_the_audit_log() {
    let portal = guarding_portal();
    let binary = guarding(&portal);
    let sign_in = |path: &str, from: &str, body: &str| {
        let ask = binary.post(path).header("x-forwarded-for", from).cookie("sid", "1");
        let ask = ask.header("content-type", "application/x-www-form-urlencoded");
        ask.body(body.to_owned()).send().status
    };
    let floods = [
        ("/login", "192.0.2.1", "username=alex&password=wrong"),
        ("/login", "192.0.2.2", "username=alex&password=wrong"),
        ("/login", "192.0.2.1", "username=hunter2&password=wrong"),
        ("/otp", "192.0.2.1", "code=wrong"),
    ];
    for (path, from, body) in floods {
        for _ in 0..25 {
            sign_in(path, from, body);
        }
    }
    let refused = || at_guard(&binary).into_iter().filter(|event| event["outcome"] == "refused").count();
    eventually(|| refused() == floods.len());
    assert_eq!(
        at_guard(&binary).len(),
        3 * 3 + floods.len(),
        "three guesses each for two names and a session"
    );
    let metric = "doorward_guarded_sign_ins_total{result=\"refused\"} 91\n";
    assert!(binary.admin("/metrics").text().contains(metric), "all of them are counted");
}

#[test]
fn audit_log_names_the_kind_of_a_lock_at_a_guard() {
    let portal = Portal::answering("")
        .route("/login", Reply::text("wrong").status(401))
        .route("/otp", Reply::text("wrong").status(401))
        .start();
    let guard = json!([{"match": "/login", "user_in": "form", "failed_status": [401]},
        {"match": "/otp", "user_in": "form", "require_name": false, "failed_status": [401]}]);
    let binary = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "open")])
        .accounts()
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 2)
        .setting("guard", guard)
        .setting("log.audit", "audit.log")
        .serve();
    let file = binary.folder().join("audit.log");
    let send = |path: &str, cookie: &str, body: &str| {
        let ask = binary.post(path).header("content-type", "application/x-www-form-urlencoded");
        ask.header("cookie", cookie).body(body.to_owned()).send();
    };
    for _ in 0..2 {
        send("/login", "a=1", "username=hunter2&password=wrong");
        send("/otp", "sid=one", "code=1");
    }
    // ten times `max_attempts` for the network
    for session in 0..18 {
        send("/otp", &format!("sid=other{session}"), "code=1");
    }
    let scope = |event: &Value| event["scope"].as_str().unwrap_or_default().to_owned();
    let locks = || {
        let locks = events(&file).into_iter().filter(|event| event["action"] == "lockout.set");
        locks.collect::<Vec<_>>()
    };
    eventually(|| locks().iter().map(scope).collect::<Vec<_>>() == ["name", "portal-session", "network"]);
    for lock in locks() {
        assert_eq!(lock["tenant"], "carbon.super", "{lock}");
        assert_eq!(lock["user"].is_string(), lock["scope"] == "name", "{lock}");
        assert!(!lock["message"].as_str().unwrap().contains("account locked"), "{lock}");
    }
    for of in ["unknown_name", "portal_session", "address"] {
        assert_eq!(binary.metric(&format!("doorward_lockouts_total{{scope=\"{of}\"}}")), 1, "{of}");
    }
    let config = binary.folder().join("deployment.toml").display().to_string();
    assert!(doorward(["user", "unlock", "hunter2", "--config", &config]).status.success());
    let all = events(&file);
    let unlocked = all.last().unwrap();
    assert_eq!((&unlocked["action"], &unlocked["scope"]), (&"account.unlocked".into(), &"name".into()));
    assert_eq!((&unlocked["user"], &unlocked["tenant"]), (&locks()[0]["user"], &"carbon.super".into()));
    assert!(unlocked["actor"].as_str().unwrap().starts_with("command line"), "{unlocked}");
    assert!(!fs::read_to_string(&file).unwrap().contains("hunter2"));
}
