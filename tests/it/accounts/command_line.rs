//! `doorward user` and `doorward session`, as administrators and scripts run them, also while a Doorward serves.

use serde_json::Value;

use crate::support::{Portal, Shell, TestAccounts, TestProxy, eventually, services::write};

const PAGE: &str = "/devportal/apis";

fn claim(shown: &Value, name: &str) -> String {
    shown["claims"][format!("http://wso2.org/claims/identity/{name}")].as_str().unwrap().to_owned()
}

#[test]
fn commands_manage_an_account_of_a_running_server() {
    let portal = Portal::answering("apis").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).anonymous(false).start();
    let shell = Shell(&proxy);
    let password = write(proxy.folder(), "password", "correct horse battery\n");
    shell.ok(&[
        "user",
        "add",
        "alex",
        "--email",
        "alex@example.org",
        "--role",
        "admin",
        "--password-file",
        &password,
    ]);
    assert!(shell.fails(&["user", "add", "ALEX", "--password-file", &password]).contains("already"));
    assert!(shell.ok(&["user", "list"]).contains("PRIMARY/alex"));
    // every name has its value in the same column
    let text = shell.ok(&["user", "show", "alex"]);
    let column = |line: &str| line[..24].trim_end().len() < 24 && !line[24..].starts_with("  ");
    assert!(text.lines().all(|line| line.as_bytes()[24] == b' ' && column(line)), "{text}");
    let shown = shell.json(&["user", "show", "alex@example.org"]);
    assert_eq!((claim(&shown, "accountLocked").as_str(), &shown["roles"][0]), ("false", &"admin".into()));

    let metrics = proxy.admin("/metrics").text();
    for name in [
        "password_verifications",
        "dummy_password_verifications",
        "password_queue_full",
        "sign_ins",
        "lockouts",
    ] {
        assert!(metrics.contains(&format!("# TYPE doorward_{name}_total counter")), "{name}: {metrics}");
    }

    // with a session open, the effect of the command is immediate
    let accounts = TestAccounts::of(&proxy);
    let alex = accounts.find("carbon.super", "alex");
    let session = accounts.session(&alex);
    let page = |cookie: &str| proxy.get(PAGE).browser().cookie("doorward_session", cookie).send().status;
    assert_eq!(page(&session), 200);
    assert_eq!(shell.json(&["session", "list", "alex"]).as_array().unwrap().len(), 1);
    shell.ok(&["user", "lock", "alex"]);
    eventually(|| page(&session) == 302);
    let shown = shell.json(&["user", "show", "alex"]);
    assert_eq!(
        (claim(&shown, "accountLocked").as_str(), claim(&shown, "lockedReason").as_str()),
        ("true", "ADMIN_INITIATED")
    );
    shell.ok(&["user", "unlock", "alex"]);
    let (one, other) = (accounts.session(&alex), accounts.session(&alex));
    assert_eq!((page(&one), page(&other)), (200, 200));
    let listed = shell.json(&["session", "list", "alex"]);
    let first = listed[0]["session"].as_str().unwrap();
    shell.ok(&["session", "end", "alex", "--session", &first[..12]]);
    eventually(|| [page(&one), page(&other)].iter().filter(|status| **status == 302).count() == 1);
    shell.ok(&["session", "end", "alex", "--all"]);
    eventually(|| (page(&one), page(&other)) == (302, 302));
    let session = accounts.session(&alex);
    assert_eq!(page(&session), 200);
    shell.ok(&["user", "set-password", "alex", "--password-file", &password]);
    eventually(|| page(&session) == 302);
    shell.ok(&["user", "disable", "alex"]);
    assert_eq!(claim(&shell.json(&["user", "show", "alex"]), "accountState"), "DISABLED");
    shell.ok(&["user", "enable", "alex"]);
    assert!(shell.fails(&["user", "lock", "no-such-user"]).contains("there is no account no-such-user"));
    assert!(shell.fails(&["user", "list", "--tenant", "nowhere.com"]).contains("there is no tenant"));
}

#[test]
fn user_add_prints_tenant_and_whether_sign_in_is_possible() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .accounts()
        .lockout(5)
        .tenant("acme.com", &serde_json::json!({}))
        .start();
    let shell = Shell(&proxy);
    let password = write(proxy.folder(), "password", "correct horse battery\n");
    let message = shell.ok(&["user", "add", "alex", "--tenant", "acme.com", "--password-file", &password]);
    assert_eq!(message, "alex of tenant acme.com can sign in now\n");
    let message = shell.fails(&["user", "add", "kim@acme.com", "--no-password"]);
    assert!(
        message.contains("--tenant acme.com") && message.contains("a name in tenant carbon.super"),
        "{message}"
    );
    let message = shell.ok(&["user", "add", "kim@example.org", "--no-password"]);
    assert!(message.contains("kim@example.org of tenant carbon.super has no password"), "{message}");
    assert!(message.contains("set-password kim@example.org --tenant carbon.super"), "{message}");
    let file = proxy.folder().join("deployment.toml").display().to_string();
    assert!(message.contains(&format!("carbon.super --config {file}`")), "it can be pasted: {message}");
    let message = shell.ok(&["user", "add", "o'kim x", "--user-store", "ldap", "--no-password"]);
    assert!(message.contains(r"set-password 'LDAP/o'\''kim x' --tenant carbon.super --config "), "{message}");
    shell.ok(&["user", "add", "kim@acme.com", "--no-password", "--tenant", "carbon.super"]);
}

#[test]
fn password_is_no_argument_and_needs_a_terminal_or_file() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).start();
    let shell = Shell(&proxy);
    assert!(shell.fails(&["user", "add", "alex"]).contains("--password-file"));
    let empty = write(proxy.folder(), "empty", "\n");
    assert!(shell.fails(&["user", "add", "alex", "--password-file", &empty]).contains("no password"));
    assert_eq!(shell.run(&["user", "add", "alex", "--password", "geheim"]).status.code(), Some(2));
}

#[test]
fn import_takes_valid_rows_and_reports_the_others() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).start();
    let shell = Shell(&proxy);
    let csv = write(
        proxy.folder(),
        "people.csv",
        "username,email,roles,password_hash,claims.country\n\
         alex,alex@example.org,admin;Internal/subscriber,$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie,DE\n\
         kim,kim@example.org,,md5:x,\n\
         sam,alex@example.org,,,\n",
    );
    let output = shell.run(&["user", "import", &csv]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message.contains("people.csv:3: password_hash") && message.contains("people.csv:4: "),
        "{message}"
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 imported"));
    let shown = shell.json(&["user", "show", "alex"]);
    assert_eq!(
        (shown["roles"][1].as_str(), shown["other_claims"]["country"].as_str()),
        (Some("Internal/subscriber"), Some("DE"))
    );
    let lines = write(proxy.folder(), "people.jsonl", "{\"username\": \"alex\"}\n{\"username\": \"pat\"}\n");
    assert!(shell.fails(&["user", "import", &lines]).contains("people.jsonl:1: "));
    let again = shell.json(&["user", "import", &lines, "--skip-existing"]);
    assert_eq!((again["imported"].as_u64(), again["existing"].as_u64()), (Some(0), Some(2)));
}

#[test]
fn interrupted_import_can_be_resumed() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).start();
    let shell = Shell(&proxy);
    let mut accounts: Vec<_> = (0..250).map(|n| format!("{{\"username\": \"user{n:03}\"}}")).collect();
    let part = write(proxy.folder(), "part.jsonl", &accounts[..130].join("\n"));
    assert_eq!(shell.json(&["user", "import", &part])["imported"], 130);
    accounts.insert(140, "{".to_owned());
    accounts.insert(200, accounts[199].clone());
    let whole = write(proxy.folder(), "whole.jsonl", &accounts.join("\n"));
    let output = shell.run(&["user", "import", &whole, "--skip-existing", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let message: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(message, serde_json::json!({ "imported": 120, "existing": 131, "mistakes": 1 }));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let mistake: serde_json::Value = serde_json::from_str(stderr.lines().next().unwrap()).unwrap();
    assert_eq!(mistake["line"], 141, "{stderr}");
}

#[test]
fn user_list_is_filtered_and_paged() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).start();
    let shell = Shell(&proxy);
    let accounts: Vec<_> = (0..25).map(|n| format!("{{\"username\": \"user{n:02}\"}}")).collect();
    shell.ok(&["user", "import", &write(proxy.folder(), "people.jsonl", &accounts.join("\n"))]);
    let names = |words: &[&str]| {
        let output = shell.run(&[&["user", "list", "--json-lines"], words].concat());
        let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names = text.lines().map(|text| line(text)["username"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), String::from_utf8(output.stderr).unwrap())
    };
    let (first, more) = names(&["--filter", "USER1", "--limit", "4"]);
    assert_eq!(
        (&first[..], more.trim()),
        (
            &["user10", "user11", "user12", "user13"].map(String::from)[..],
            "there are more: --after PRIMARY/user13"
        )
    );
    let (rest, more) = names(&["--filter", "USER1", "--limit", "6", "--after", "PRIMARY/user13"]);
    assert_eq!((rest.len(), rest[5].as_str(), more.as_str()), (6, "user19", ""));
    assert_eq!(names(&[]).0.len(), 25);
    assert!(names(&["--filter", "no-such-user"]).1.contains("no account of tenant carbon.super matches"));
    assert_eq!(shell.json(&["user", "list", "--limit", "3"]).as_array().unwrap().len(), 3);
}

#[test]
fn commands_require_enabled_accounts() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    assert!(Shell(&proxy).fails(&["user", "list"]).contains("accounts.enabled"));
}

#[test]
fn empty_list_names_the_next_command() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).start();
    let shell = Shell(&proxy);
    let empty = shell.run(&["user", "list"]);
    let printed = String::from_utf8_lossy(&empty.stderr).into_owned();
    assert!(empty.status.success() && empty.stdout.is_empty(), "nothing for scripts to count");
    assert!(printed.contains("`doorward user add NAME --tenant carbon.super --config /"), "{printed}");
    shell.ok(&["user", "add", "alex", "--no-password"]);
    let none = shell.run(&["session", "list", "alex"]);
    assert!(none.stdout.is_empty());
    assert_eq!(String::from_utf8_lossy(&none.stderr).trim(), "alex is signed in nowhere");
    assert_eq!(shell.ok(&["session", "end", "alex", "--all"]).trim(), "0 sessions of alex ended");
}

#[test]
fn lists_locked_accounts_and_warns_of_a_partial_unlock() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).start();
    let shell = Shell(&proxy);
    shell.ok(&["user", "add", "alex", "--no-password"]);
    shell.ok(&["user", "add", "kim", "--no-password"]);
    for _ in 0..5 {
        let body = "username=alex&password=wrong";
        let form =
            proxy.post("/.doorward/sign-in?tenant=carbon.super").header("sec-fetch-site", "same-origin");
        form.header("content-type", "application/x-www-form-urlencoded").body(body).send();
    }
    let listed = shell.ok(&["user", "list"]);
    let states: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(states, ["locked", "open"], "{listed}");
    shell.ok(&["user", "disable", "alex"]);
    assert!(shell.ok(&["user", "enable", "alex"]).contains("locked still: `doorward user unlock`"));
    shell.ok(&["user", "disable", "alex"]);
    assert!(shell.ok(&["user", "unlock", "alex"]).contains("disabled still: `doorward user enable`"));
    assert_eq!(shell.ok(&["user", "enable", "alex"]), "alex is enabled\n");
    assert_eq!(shell.ok(&["user", "unlock", "alex"]), "alex is unlocked\n");
}

#[test]
fn json_list_is_one_document() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).start();
    let shell = Shell(&proxy);
    assert_eq!(shell.json(&["user", "list"]), serde_json::json!([]));
    // more than are read at a time
    let accounts: Vec<_> = (0..501).map(|n| format!("{{\"username\": \"user{n:03}\"}}")).collect();
    shell.ok(&["user", "import", &write(proxy.folder(), "people.jsonl", &accounts.join("\n"))]);
    let listed = shell.json(&["user", "list"]);
    let listed = listed.as_array().unwrap();
    let ends = [&listed[0], &listed[500]].map(|one| one["username"].as_str().unwrap());
    assert_eq!((listed.len(), ends), (501, ["user000", "user500"]));
}

#[test]
fn usage_errors_name_the_right_flag() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(5).start();
    let shell = Shell(&proxy);
    for (words, message) in [
        (&["session", "end", "alex"][..], &["--session <SESSION>", "--all"][..]),
        (&["user", "add", "alex", "--email", "notanemail"], &["--email", "alex@example.org"]),
        (&["user", "add", "alex", "--user-store", "x/y"], &["--user-store", "letters, digits"]),
        (&["user", "add", "alex", "--claim", "foo"], &["--claim", "NAME=VALUE"]),
    ] {
        let printed = shell.usage_error(words);
        assert!(message.iter().all(|message| printed.contains(message)), "{words:?}: {printed}");
    }
}

#[test]
fn ambiguous_login_name_error_names_both_readings() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .accounts()
        .lockout(5)
        .tenant("acme.com", &serde_json::json!({}))
        .start();
    let shell = Shell(&proxy);
    for words in [["user", "set-password", "alex@acme.com"], ["user", "unlock", "alex@acme.com"]] {
        let message = shell.fails(&words);
        assert!(
            message.contains("no account alex@acme.com in tenant carbon.super")
                && message.contains("no alex in tenant acme.com")
                && message.contains("--tenant acme.com"),
            "{message}"
        );
    }
    let message = shell.fails(&["user", "show", "alex@example.org"]);
    assert_eq!(message, "error: there is no account alex@example.org in tenant carbon.super\n");
}
