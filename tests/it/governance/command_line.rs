//! `doorward governance` and `doorward audit`, beside a Doorward that serves.

use serde_json::Value;

use crate::support::{Edit, Gate, People, Portal, Shell, eventually};

const LOGIN: &str = "account.multiattributelogin.handler.enable";

#[test]
fn what_is_set_counts_in_a_doorward_that_serves() {
    let portal = Portal::answering("apis").start();
    let gate = Gate::before(&portal).accounts().tenant("acme.com", &serde_json::json!({})).start();
    People::of(&gate).add("acme.com", "alex", "geheim");
    let shell = Shell(&gate);
    let comes_in = || {
        let mut visitor = gate.visitor();
        visitor.sign_in("acme.com", "alex@mail.example", "geheim");
        visitor.is_signed_in()
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

    let told = shell.json(&["audit", "list", "--tenant", "acme.com"]);
    let brief: Vec<_> = told
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
    assert!(told[0]["actor"].as_str().unwrap().starts_with("command line"));
    assert_eq!(shell.ok(&["audit", "list"]), "", "nothing of the default tenant");
    let all = shell.ok(&["audit", "list", "--all", "--limit", "1"]);
    assert!(
        all.contains("acme.com") && all.contains("\"false\" -> (not set)") && all.lines().count() == 1,
        "{all}"
    );
}

#[test]
fn what_cannot_be_set_is_said() {
    let portal = Portal::answering("apis").start();
    let gate = Gate::before(&portal).accounts().start();
    let shell = Shell(&gate);
    for (words, told) in [
        (&["governance", "set", "passwordHistory.cuont=7"][..], "did you mean passwordHistory.count?"),
        (
            &["governance", "set", "passwordHistory.count"],
            "\"passwordHistory.count\" is not NAME=VALUE: write passwordPolicy.min.length=12",
        ),
        (&["governance", "get", "nonsense"], "there is no property nonsense"),
        (&["governance", "revert", "passwordHistory.count", "nonsense"], "there is no property nonsense"),
    ] {
        let said = shell.misused(words);
        assert!(said.contains(told), "{words:?}: {said}");
    }
    for (words, told) in [
        (&["governance", "set", "passwordHistory.count=many"][..], "passwordHistory.count"),
        (&["governance", "list", "--tenant", "nobody.com"], "there is no tenant nobody.com"),
    ] {
        let said = shell.fails(words);
        assert!(said.contains(told), "{words:?}: {said}");
    }
    let told = shell.ok(&["governance", "set", "SelfRegistration.Enable=true", "passwordHistory.count=6"]);
    assert!(told.contains("SelfRegistration.Enable is only stored: nothing acts on it yet"), "{told}");
    assert!(!told.contains("passwordHistory"), "that one counts: {told}");
    shell.ok(&["governance", "set", "__secret__adaptive_authentication.analytics.basicAuth.password=geheim"]);
    for words in [&["governance", "list"][..], &["audit", "list"]] {
        assert!(!shell.ok(words).contains("geheim"), "{words:?}");
    }
}

#[test]
fn what_is_taken_back_may_be_of_several_connectors_and_is_one_change() {
    let portal = Portal::answering("apis").start();
    let gate = Gate::before(&portal).accounts().start();
    let shell = Shell(&gate);
    let (count, least, days) =
        ("passwordHistory.count", "passwordPolicy.min.length", "passwordExpiry.passwordExpiryInDays");
    let set = [(count, "7"), (least, "9"), (days, "40")].map(|(name, value)| format!("{name}={value}"));
    shell.ok(&["governance", "set", &set[0], &set[1], &set[2]]);
    let in_force = || [count, least, days].map(|name| shell.ok(&["governance", "get", name]));
    // one name that is none: nothing is taken back
    shell.misused(&["governance", "revert", count, least, "passwordPolicy.nonsense"]);
    assert_eq!(in_force(), ["7\n", "9\n", "40\n"]);
    let said = shell.json(&["governance", "revert", count, least]);
    assert_eq!(said["version"], 2, "one version for both");
    assert_eq!(in_force(), ["5\n", "6\n", "40\n"]);
    let told = shell.json(&["audit", "list", "--limit", "2"]);
    let targets: Vec<_> =
        told.as_array().unwrap().iter().map(|one| (&one["action"], &one["target"])).collect();
    let reverted = Value::from("governance.revert");
    assert_eq!(targets, [(&reverted, &least.into()), (&reverted, &count.into())]);
}

#[test]
fn what_is_in_force_is_not_guessed_while_the_tenants_file_is_broken() {
    let portal = Portal::answering("apis").start();
    let gate = Gate::before(&portal).accounts().tenant("acme.com", &serde_json::json!({})).start();
    let shell = Shell(&gate);
    gate.edit_tenant_by(Edit::InPlace, "acme.com", "{\"EnableAnonymous\": fals");
    for words in
        [&["governance", "get", LOGIN][..], &["governance", "list"], &["governance", "list", "--json"]]
    {
        let output = shell.run(&[words, &["--tenant", "acme.com"]].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true), "{words:?}: {told}");
        assert!(told.starts_with("error: ") && told.contains("tenant-conf.json:1:"), "{told}");
        assert!(
            told.ends_with(
                "; a running Doorward keeps the last good settings, which cannot be seen from here\n"
            ),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "and no line of a log: {told}");
    }
    // what does not show the settings goes on, and says that the file is broken
    let output = shell.run(&["user", "list", "--tenant", "acme.com"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && told.starts_with("warning: "), "{told}");
    assert!(told.contains("tenant-conf.json:1:") && !told.contains("{\""), "{told}");
    assert_eq!(shell.ok(&["governance", "get", LOGIN]), "true\n", "another tenant's");
}

#[test]
fn taking_back_what_was_not_set_says_so() {
    let portal = Portal::answering("apis").start();
    let gate = Gate::before(&portal).accounts().start();
    let shell = Shell(&gate);
    let (count, least) = ("passwordHistory.count", "passwordPolicy.min.length");
    let told = shell.ok(&["governance", "revert", count]);
    assert_eq!(
        told,
        format!("{count} was not set\nthe settings of carbon.super are at version 0, as before\n")
    );
    shell.ok(&["governance", "set", &format!("{least}=9")]);
    let told = shell.ok(&["governance", "revert", count, least]);
    assert_eq!(told, format!("{count} was not set\nthe settings of carbon.super are at version 2\n"));
    let told = shell.json(&["governance", "revert", least]);
    assert_eq!((&told["version"], &told["not_set"]), (&2.into(), &serde_json::json!([least])));
}
