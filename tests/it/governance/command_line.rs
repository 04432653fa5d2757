//! `doorward governance` and `doorward audit`, beside a Doorward that serves.

use serde_json::Value;

use crate::support::{Edit, Portal, Shell, TestAccounts, TestProxy, eventually};

const LOGIN: &str = "account.multiattributelogin.handler.enable";

#[test]
fn governance_set_applies_to_a_running_server() {
    let portal = Portal::answering("apis").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().tenant("acme.com", &serde_json::json!({})).start();
    TestAccounts::of(&proxy).add("acme.com", "alex", "geheim");
    let shell = Shell(&proxy);
    let comes_in = || {
        let mut browser = proxy.browser();
        browser.sign_in("acme.com", "alex@mail.example", "geheim");
        browser.is_signed_in()
    };
    assert!(comes_in());
    assert_eq!(shell.ok(&["governance", "get", LOGIN, "--tenant", "acme.com"]), "true\n");
    let off = format!("{LOGIN}=FALSE");
    shell.ok(&["governance", "set", &off, "passwordHistory.count=7", "--tenant", "acme.com"]);
    eventually(|| !comes_in());
    let listed = shell.ok(&["governance", "list", "account.multi", "--tenant", "acme.com"]);
    assert!(listed.starts_with(&format!("* {LOGIN} = false\n  account.multi")), "{listed}");
    let all = shell.json(&["governance", "list", "--tenant", "acme.com"]);
    assert_eq!((&all["version"], all["properties"].as_array().unwrap().len() > 90), (&1.into(), true));
    assert_eq!(shell.ok(&["governance", "get", LOGIN]), "true\n", "of the default tenant");
    shell.ok(&["governance", "revert", LOGIN, "--tenant", "acme.com"]);
    eventually(comes_in);

    let message = shell.json(&["audit", "list", "--tenant", "acme.com"]);
    let brief: Vec<_> = message
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            [&one["id"], &one["action"], &one["target"], &one["before"], &one["after"]]
                .map(Value::to_string)
                .join(" ")
        })
        .collect();
    assert_eq!(
        brief,
        [
            format!("3 \"governance.revert\" {LOGIN:?} \"false\" null"),
            "2 \"governance.update\" \"passwordHistory.count\" null \"7\"".to_owned(),
            format!("1 \"governance.update\" {LOGIN:?} null \"false\""),
        ]
    );
    assert!(message[0]["actor"].as_str().unwrap().starts_with("command line"));
    assert_eq!(shell.ok(&["audit", "list"]), "", "nothing of the default tenant");
    let all = shell.ok(&["audit", "list", "--all", "--limit", "1"]);
    assert!(
        all.contains("acme.com") && all.contains("\"false\" -> (not set)") && all.lines().count() == 1,
        "{all}"
    );
}

#[test]
fn governance_set_rejects_invalid_properties() {
    let portal = Portal::answering("apis").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().start();
    let shell = Shell(&proxy);
    for (words, message) in [
        (&["governance", "set", "passwordHistory.cuont=7"][..], "did you mean passwordHistory.count?"),
        (
            &["governance", "set", "passwordHistory.count"],
            "\"passwordHistory.count\" is not NAME=VALUE: write passwordPolicy.min.length=12",
        ),
        (&["governance", "get", "nonsense"], "there is no property nonsense"),
        (&["governance", "revert", "passwordHistory.count", "nonsense"], "there is no property nonsense"),
    ] {
        let printed = shell.usage_error(words);
        assert!(printed.contains(message), "{words:?}: {printed}");
    }
    for (words, message) in [
        (&["governance", "set", "passwordHistory.count=many"][..], "passwordHistory.count"),
        (&["governance", "list", "--tenant", "unknown.com"], "there is no tenant unknown.com"),
    ] {
        let printed = shell.fails(words);
        assert!(printed.contains(message), "{words:?}: {printed}");
    }
    let message = shell.ok(&["governance", "set", "SelfRegistration.Enable=true", "passwordHistory.count=6"]);
    assert!(message.contains("SelfRegistration.Enable is only stored: nothing acts on it yet"), "{message}");
    assert!(!message.contains("passwordHistory"), "that one counts: {message}");
    shell.ok(&["governance", "set", "__secret__adaptive_authentication.analytics.basicAuth.password=geheim"]);
    for words in [&["governance", "list"][..], &["audit", "list"]] {
        assert!(!shell.ok(words).contains("geheim"), "{words:?}");
    }
}

#[test]
fn revert_of_several_connectors_is_one_change() {
    let portal = Portal::answering("apis").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().start();
    let shell = Shell(&proxy);
    let (count, least, days) =
        ("passwordHistory.count", "passwordPolicy.min.length", "passwordExpiry.passwordExpiryInDays");
    let set = [(count, "7"), (least, "9"), (days, "40")].map(|(name, value)| format!("{name}={value}"));
    shell.ok(&["governance", "set", &set[0], &set[1], &set[2]]);
    let in_force = || [count, least, days].map(|name| shell.ok(&["governance", "get", name]));
    // one name that is none: nothing is taken back
    shell.usage_error(&["governance", "revert", count, least, "passwordPolicy.nonsense"]);
    assert_eq!(in_force(), ["7\n", "9\n", "40\n"]);
    let printed = shell.json(&["governance", "revert", count, least]);
    assert_eq!(printed["version"], 2, "one version for both");
    assert_eq!(in_force(), ["5\n", "6\n", "40\n"]);
    let message = shell.json(&["audit", "list", "--limit", "2"]);
    let targets: Vec<_> =
        message.as_array().unwrap().iter().map(|one| (&one["action"], &one["target"])).collect();
    let reverted = Value::from("governance.revert");
    assert_eq!(targets, [(&reverted, &least.into()), (&reverted, &count.into())]);
}

#[test]
fn governance_get_fails_if_the_tenant_file_is_broken() {
    let portal = Portal::answering("apis").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().tenant("acme.com", &serde_json::json!({})).start();
    let shell = Shell(&proxy);
    proxy.edit_tenant_by(Edit::InPlace, "acme.com", "{\"EnableAnonymous\": fals");
    for words in
        [&["governance", "get", LOGIN][..], &["governance", "list"], &["governance", "list", "--json"]]
    {
        let output = shell.run(&[words, &["--tenant", "acme.com"]].concat());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true), "{words:?}: {message}");
        assert!(message.starts_with("error: ") && message.contains("tenant-conf.json:1:"), "{message}");
        assert!(
            message.ends_with(
                "; a running Doorward keeps the last good settings, which cannot be seen from here\n"
            ),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "and no line of a log: {message}");
    }
    // commands that do not show the settings work, with a warning that the file is broken
    let output = shell.run(&["user", "list", "--tenant", "acme.com"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && message.starts_with("warning: "), "{message}");
    assert!(message.contains("tenant-conf.json:1:") && !message.contains("{\""), "{message}");
    assert_eq!(shell.ok(&["governance", "get", LOGIN]), "true\n", "another tenant's");
}

#[test]
fn revert_reports_properties_that_were_not_set() {
    let portal = Portal::answering("apis").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().start();
    let shell = Shell(&proxy);
    let (count, least) = ("passwordHistory.count", "passwordPolicy.min.length");
    let message = shell.ok(&["governance", "revert", count]);
    assert_eq!(
        message,
        format!("{count} was not set\nthe settings of carbon.super are at version 0, as before\n")
    );
    shell.ok(&["governance", "set", &format!("{least}=9")]);
    let message = shell.ok(&["governance", "revert", count, least]);
    assert_eq!(message, format!("{count} was not set\nthe settings of carbon.super are at version 2\n"));
    let message = shell.json(&["governance", "revert", least]);
    assert_eq!((&message["version"], &message["not_set"]), (&2.into(), &serde_json::json!([least])));
}
