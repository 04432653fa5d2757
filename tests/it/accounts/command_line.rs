//! `doorward user` and `doorward session`, as people and scripts run them, also beside a Doorward that serves.

use serde_json::Value;

use super::write;
use crate::support::{
    Gate, Portal, Shell,
    accounts::{Desk, with_lock},
    eventually,
};

const PAGE: &str = "/devportal/apis";

fn claim(shown: &Value, name: &str) -> String {
    shown["claims"][format!("http://wso2.org/claims/identity/{name}")].as_str().unwrap().to_owned()
}

#[test]
fn an_account_from_its_beginning_to_its_lock_while_doorward_serves() {
    let portal = Portal::answering("apis").start();
    let gate = with_lock(Gate::before(&portal), 5).anonymous(false).start();
    let shell = Shell(&gate);
    let password = write(gate.folder(), "password", "correct horse battery\n");
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

    let metrics = gate.admin("/metrics").text();
    for name in ["password_verifications", "passwords_spent", "password_queue_full", "sign_ins", "lockouts"] {
        assert!(metrics.contains(&format!("# TYPE doorward_{name} counter")), "{name}: {metrics}");
    }

    // somebody signs in; what the command does counts at once
    let desk = Desk::of(gate.folder());
    let alex = desk.find("carbon.super", "alex");
    let session = desk.session(&alex);
    let page = |cookie: &str| gate.get(PAGE).browser().cookie("doorward_session", cookie).send().status;
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
    let (one, other) = (desk.session(&alex), desk.session(&alex));
    assert_eq!((page(&one), page(&other)), (200, 200));
    let listed = shell.json(&["session", "list", "alex"]);
    let first = listed[0]["session"].as_str().unwrap();
    shell.ok(&["session", "end", "alex", "--session", &first[..12]]);
    eventually(|| [page(&one), page(&other)].iter().filter(|status| **status == 302).count() == 1);
    shell.ok(&["session", "end", "alex", "--all"]);
    eventually(|| (page(&one), page(&other)) == (302, 302));
    let session = desk.session(&alex);
    assert_eq!(page(&session), 200);
    shell.ok(&["user", "set-password", "alex", "--password-file", &password]);
    eventually(|| page(&session) == 302);
    shell.ok(&["user", "disable", "alex"]);
    assert_eq!(claim(&shell.json(&["user", "show", "alex"]), "accountState"), "DISABLED");
    shell.ok(&["user", "enable", "alex"]);
    assert!(shell.fails(&["user", "lock", "nobody"]).contains("there is no account nobody"));
    assert!(shell.fails(&["user", "list", "--tenant", "nowhere.com"]).contains("there is no tenant"));
}

#[test]
fn who_is_added_is_told_where_and_whether_somebody_can_sign_in() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).tenant("acme.com", &serde_json::json!({})).start();
    let shell = Shell(&gate);
    let password = write(gate.folder(), "password", "correct horse battery\n");
    let told = shell.ok(&["user", "add", "alex", "--tenant", "acme.com", "--password-file", &password]);
    assert_eq!(told, "alex of tenant acme.com can sign in now\n");
    let told = shell.fails(&["user", "add", "kim@acme.com", "--no-password"]);
    assert!(told.contains("--tenant acme.com") && told.contains("a name in tenant carbon.super"), "{told}");
    let told = shell.ok(&["user", "add", "kim@example.org", "--no-password"]);
    assert!(told.contains("kim@example.org of tenant carbon.super has no password"), "{told}");
    assert!(told.contains("set-password kim@example.org --tenant carbon.super"), "{told}");
    let file = gate.folder().join("deployment.toml").display().to_string();
    assert!(told.contains(&format!("carbon.super --config {file}`")), "it can be pasted: {told}");
    let told = shell.ok(&["user", "add", "o'kim x", "--user-store", "ldap", "--no-password"]);
    assert!(told.contains(r"set-password 'LDAP/o'\''kim x' --tenant carbon.super --config "), "{told}");
    shell.ok(&["user", "add", "kim@acme.com", "--no-password", "--tenant", "carbon.super"]);
}

#[test]
fn a_password_is_never_an_argument_and_without_a_terminal_never_asked_for() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).start();
    let shell = Shell(&gate);
    assert!(shell.fails(&["user", "add", "alex"]).contains("--password-file"));
    let empty = write(gate.folder(), "empty", "\n");
    assert!(shell.fails(&["user", "add", "alex", "--password-file", &empty]).contains("no password"));
    assert_eq!(shell.run(&["user", "add", "alex", "--password", "geheim"]).status.code(), Some(2));
}

#[test]
fn an_import_takes_what_it_can_and_names_the_rest() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).start();
    let shell = Shell(&gate);
    let csv = write(
        gate.folder(),
        "people.csv",
        "username,email,roles,password_hash,claims.country\n\
         alex,alex@example.org,admin;Internal/subscriber,$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie,DE\n\
         kim,kim@example.org,,md5:x,\n\
         sam,alex@example.org,,,\n",
    );
    let output = shell.run(&["user", "import", &csv]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("people.csv:3: password_hash") && told.contains("people.csv:4: "), "{told}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 imported"));
    let shown = shell.json(&["user", "show", "alex"]);
    assert_eq!(
        (shown["roles"][1].as_str(), shown["other_claims"]["country"].as_str()),
        (Some("Internal/subscriber"), Some("DE"))
    );
    let lines = write(gate.folder(), "people.jsonl", "{\"username\": \"alex\"}\n{\"username\": \"pat\"}\n");
    assert!(shell.fails(&["user", "import", &lines]).contains("people.jsonl:1: "));
    let again = shell.json(&["user", "import", &lines, "--skip-existing"]);
    assert_eq!((again["imported"].as_u64(), again["existing"].as_u64()), (Some(0), Some(2)));
}

#[test]
fn an_import_that_was_interrupted_goes_on_where_it_was() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).start();
    let shell = Shell(&gate);
    let mut people: Vec<_> = (0..250).map(|n| format!("{{\"username\": \"user{n:03}\"}}")).collect();
    let part = write(gate.folder(), "part.jsonl", &people[..130].join("\n"));
    assert_eq!(shell.json(&["user", "import", &part])["imported"], 130);
    people.insert(140, "{".to_owned());
    people.insert(200, people[199].clone());
    let whole = write(gate.folder(), "whole.jsonl", &people.join("\n"));
    let output = shell.run(&["user", "import", &whole, "--skip-existing", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told, serde_json::json!({ "imported": 120, "existing": 131, "mistakes": 1 }));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let mistake: serde_json::Value = serde_json::from_str(stderr.lines().next().unwrap()).unwrap();
    assert_eq!(mistake["line"], 141, "{stderr}");
}

#[test]
fn a_list_is_filtered_and_comes_in_pages() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).start();
    let shell = Shell(&gate);
    let people: Vec<_> = (0..25).map(|n| format!("{{\"username\": \"user{n:02}\"}}")).collect();
    shell.ok(&["user", "import", &write(gate.folder(), "people.jsonl", &people.join("\n"))]);
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
    assert!(names(&["--filter", "nobody"]).1.contains("no account of tenant carbon.super matches"));
    assert_eq!(shell.json(&["user", "list", "--limit", "3"]).as_array().unwrap().len(), 3);
}

#[test]
fn without_accounts_the_commands_say_so() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    assert!(Shell(&gate).fails(&["user", "list"]).contains("accounts.enabled"));
}

#[test]
fn where_there_is_nothing_to_list_the_command_says_what_to_do_next() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).start();
    let shell = Shell(&gate);
    let empty = shell.run(&["user", "list"]);
    let said = String::from_utf8_lossy(&empty.stderr).into_owned();
    assert!(empty.status.success() && empty.stdout.is_empty(), "nothing for scripts to count");
    assert!(said.contains("`doorward user add NAME --tenant carbon.super --config /"), "{said}");
    shell.ok(&["user", "add", "alex", "--no-password"]);
    let none = shell.run(&["session", "list", "alex"]);
    assert!(none.stdout.is_empty());
    assert_eq!(String::from_utf8_lossy(&none.stderr).trim(), "alex is signed in nowhere");
    assert_eq!(shell.ok(&["session", "end", "alex", "--all"]).trim(), "0 sessions of alex ended");
}

#[test]
fn who_is_locked_by_wrong_passwords_is_listed_as_locked_and_half_a_remedy_says_so() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).start();
    let shell = Shell(&gate);
    shell.ok(&["user", "add", "alex", "--no-password"]);
    shell.ok(&["user", "add", "kim", "--no-password"]);
    for _ in 0..5 {
        let body = "username=alex&password=wrong";
        let form =
            gate.post("/.doorward/sign-in?tenant=carbon.super").header("sec-fetch-site", "same-origin");
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
fn a_list_in_json_is_one_document_however_long() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).start();
    let shell = Shell(&gate);
    assert_eq!(shell.json(&["user", "list"]), serde_json::json!([]));
    // more than are read at a time
    let people: Vec<_> = (0..501).map(|n| format!("{{\"username\": \"user{n:03}\"}}")).collect();
    shell.ok(&["user", "import", &write(gate.folder(), "people.jsonl", &people.join("\n"))]);
    let listed = shell.json(&["user", "list"]);
    let listed = listed.as_array().unwrap();
    let ends = [&listed[0], &listed[500]].map(|one| one["username"].as_str().unwrap());
    assert_eq!((listed.len(), ends), (501, ["user000", "user500"]));
}

#[test]
fn what_is_asked_wrongly_is_said_with_the_flag_that_is_meant() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).start();
    let shell = Shell(&gate);
    for (words, told) in [
        (&["session", "end", "alex"][..], &["--session <SESSION>", "--all"][..]),
        (&["user", "add", "alex", "--email", "notanemail"], &["--email", "alex@example.org"]),
        (&["user", "add", "alex", "--user-store", "x/y"], &["--user-store", "letters, digits"]),
        (&["user", "add", "alex", "--claim", "foo"], &["--claim", "NAME=VALUE"]),
    ] {
        let said = shell.misused(words);
        assert!(told.iter().all(|told| said.contains(told)), "{words:?}: {said}");
    }
}

#[test]
fn a_name_that_can_be_read_in_two_ways_is_said_in_both() {
    let portal = Portal::answering("").start();
    let gate = with_lock(Gate::before(&portal), 5).tenant("acme.com", &serde_json::json!({})).start();
    let shell = Shell(&gate);
    for words in [["user", "set-password", "alex@acme.com"], ["user", "unlock", "alex@acme.com"]] {
        let told = shell.fails(&words);
        assert!(
            told.contains("no account alex@acme.com in tenant carbon.super")
                && told.contains("no alex in tenant acme.com")
                && told.contains("--tenant acme.com"),
            "{told}"
        );
    }
    let told = shell.fails(&["user", "show", "alex@example.org"]);
    assert_eq!(told, "error: there is no account alex@example.org in tenant carbon.super\n");
}
