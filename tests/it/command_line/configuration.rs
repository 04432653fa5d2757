//! The commands `init`, `check` and `explain`, and a start with an invalid configuration: exit codes and output.

use serde_json::{Value, json};

use super::process::{run, served, text};
use crate::support::{Idp, Portal, TestProxy, binary::doorward, proxy::TestProxyBuilder};

#[test]
fn init_writes_a_valid_configuration_for_each_profile() {
    let home = tempfile::tempdir().unwrap();
    for (profile, written) in
        [(None, "wso2-apim"), (Some("wso2-apim"), "wso2-apim"), (Some("generic"), "generic")]
    {
        let folder = home.path().join(profile.unwrap_or("none"));
        let folder = folder.to_str().unwrap();
        let words = ["init", folder].into_iter().chain(profile.into_iter().flat_map(|p| ["--profile", p]));
        assert_eq!(doorward(words.clone()).status.code(), Some(0));
        let checked = doorward(["check", "--config", &format!("{folder}/deployment.toml")]);
        assert_eq!(checked.status.code(), Some(0));
        let printed = text(&checked.stdout);
        assert!(printed.contains(&format!("profile = \"{written}\"")), "{printed}");
        assert!(printed.contains("no mistakes, 1 tenant folder\n"), "{printed}");
        let again = doorward(words);
        assert_eq!(again.status.code(), Some(1));
        let printed = text(&again.stderr);
        assert!(
            printed.contains(&format!("{folder}/deployment.toml")) && printed.contains("Move"),
            "{printed}"
        );
    }
    assert_eq!(doorward(["init", "x", "--profile", "y"]).status.code(), Some(2));
}

#[test]
fn check_exits_with_0_or_2_and_reports_positions() {
    let portal = Portal::answering("").start();
    let good = run(served(&portal), &["check"]);
    assert_eq!(good.status.code(), Some(0));
    assert!(text(&good.stdout).contains("enable_anonymous_mode"), "{}", text(&good.stdout));
    let bad = served(&portal).setting("server.workers", "many").tenant_text("acme.com", "{");
    let bad = run(bad, &["check"]);
    assert_eq!(bad.status.code(), Some(2));
    let (printed, both) = (text(&bad.stdout), ["deployment.toml:", "acme.com/tenant-conf.json:1:"]);
    assert!(both.iter().all(|place| printed.contains(place)), "{printed}");
    assert_eq!(doorward(["check", "--config", "nowhere.toml"]).status.code(), Some(2));
}

#[test]
fn check_validates_texts_templates_and_store_path() {
    let portal = Portal::answering("").start();
    let checked = |text: &str, broken: bool| {
        let (file, home) =
            served(&portal).setting("accounts.enabled", true).setting("accounts.store_url", text).write();
        let folder = file.parent().unwrap();
        for (name, good, bad) in [
            ("locales/de.ftl", "action-home = Zum Anfang\n", "\naction-hme = Zum Anfang\n"),
            ("templates/mark.html", "<b>{{ name }}</b>\n", "<b>\n{{ nmae }}</b>\n"),
        ] {
            std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.join(name), if broken { bad } else { good }).unwrap();
        }
        let output = doorward(["check", "--config", file.to_str().unwrap()]);
        drop(home);
        (output.status.code(), self::text(&output.stdout))
    };
    let (code, printed) = checked("sqlite:doorward.db", false);
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = checked("sqlite:nowhere/doorward.db", true);
    assert_eq!(code, Some(2));
    for part in [
        "locales/de.ftl:2:1: action-hme: no page shows this text (did you mean `action-home`?)",
        "templates/mark.html:2:1: undefined value: `nmae` is undefined",
        ": accounts.store_url: ",
        "nowhere does not exist (make it, for the user Doorward runs as)",
        "# 3 mistakes",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
}

#[test]
fn check_json_is_one_document() {
    let portal = Portal::answering("").start();
    let document = |builder: TestProxyBuilder| {
        let output = run(builder, &["check", "--json"]);
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, good) = document(served(&portal));
    assert_eq!((code, &good["ok"]), (Some(0), &json!(true)));
    let (code, bad) = document(served(&portal).setting("server.workers", "many"));
    assert_eq!((code, &bad["ok"]), (Some(2), &json!(false)));
    let mistake = &bad["report"]["mistakes"][0];
    assert!(mistake["line"].is_u64() && mistake["column"].is_u64(), "{mistake}");
}

#[test]
fn serve_rejects_an_invalid_configuration() {
    let portal = Portal::answering("").start();
    let refused = run(served(&portal).setting("server.wokers", 1), &["serve"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("server.wokers"), "{}", text(&refused.stderr));
}

#[test]
fn rejects_an_invalid_log_filter() {
    let portal = Portal::answering("").start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = json!([taken.local_addr().unwrap().to_string()]);
    for (filter, code) in [("inof", 2), ("info,doorward=loud", 2), ("info,doorward::token=debug", 1), ("", 1)]
    {
        // a valid filter leads to the next error: a port in use
        let output =
            run(served(&portal).setting("server.listen", listen.clone()), &["serve", "--log", filter]);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{filter}: {printed}");
        let message = format!("--log (DOORWARD_LOG): {filter:?} is not a log level or filter (write a level");
        assert_eq!(printed.contains(&message), code == 2, "{printed}");
    }
}

#[test]
fn explain_returns_allow_sign_in_or_refuse() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let closed =
        || TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).sign_in("https://idp.test/login");
    let apis = "/api/am/devportal/v3/apis";
    let token = idp.token().sign();
    let (program, json) = (["-H", "Accept: application/json"], "--json");
    for (words, verdict, status) in [
        (vec!["/devportal/apis", json], "sign-in", json!(302)),
        (vec![apis, json, program[0], program[1]], "sign-in", json!(401)),
        (vec![apis, json, "--token", &token], "allow", Value::Null),
        (vec![apis, json, "--token", "forged"], "refuse", json!(401)),
        (vec!["/devportal/apis", json, "--tenant", "unknown.com"], "refuse", json!(404)),
    ] {
        let words: Vec<&str> = ["explain"].into_iter().chain(words).collect();
        let output = run(closed(), &words);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&explanation["verdict"], &explanation["status"]),
            (&json!(verdict), &status),
            "{words:?}"
        );
    }
    assert!(portal.received_nothing(), "nothing is sent");
    let message = text(&run(closed(), &["explain", apis]).stdout);
    assert!(message.contains("verdict") && message.contains("carbon.super"), "{message}");
    let in_words = "one of WSO2's APIs, open to anonymous requests while the anonymous mode is on";
    assert!(message.contains(in_words), "{message}");
    let page = ["explain", "/devportal/apis", "--token", "nonsense"];
    let message = text(&run(closed().anonymous(true), &page).stdout);
    assert!(message.contains("token           refused: the token is "), "{message}");
    let as_browser = [&page[..], &["-H", "Accept: text/html"]].concat();
    let message = text(&run(closed().anonymous(true), &as_browser).stdout);
    assert!(message.contains("; a browser that opens a page with it counts as one without"), "{message}");
    let other = idp.token().claim("aud", "other").sign();
    let message = text(&run(closed(), &["explain", apis, "--token", &other]).stdout);
    assert!(message.contains("(aud is \"other\", expected is one of [\"portal\"])"), "{message}");
    let message = text(&run(closed(), &["explain", "/devportal/apis", "--token", &token]).stdout);
    assert!(message.contains("by a token") && !message.contains("refused"), "{message}");
    let unclear = run(closed(), &["explain", "docs"]);
    assert_eq!(unclear.status.code(), Some(2));
    assert!(
        text(&unclear.stderr).contains("docs: write a path that begins with `/`"),
        "{}",
        text(&unclear.stderr)
    );
}
