//! Tests wait for a condition, and do not sleep: a fixed time is too short on a loaded machine, and too long on all others.

use std::fs;

use super::vocabulary::{is_test_file, rust_files};

/// The waits for a condition, which pause between two checks.
const WAITS: &[&str] = &["tests/it/support/eventually.rs", "src/tenants/tests/mod.rs"];
/// Tokio's clock of such a test is advanced, and no time passes.
const PAUSED_CLOCK: &str = "start_paused = true";
const TEST_MODULE: &str = "#[cfg(test)]\nmod ";

/// The tests of a source file.
fn tests_of<'t>(name: &str, text: &'t str) -> &'t str {
    match text.find(TEST_MODULE) {
        _ if is_test_file(name) || name.starts_with("tests/") => text,
        Some(start) => &text[start..],
        None => "",
    }
}

fn sleeps(tests: &str) -> bool {
    let calls = ["sleep(", "sleep_until("];
    tests.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        calls.iter().any(|call| {
            line.match_indices(call)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    })
}

#[test]
fn tests_do_not_sleep() {
    let mut broken = Vec::new();
    for (name, file) in rust_files(&["src", "tests/it"]) {
        let text = fs::read_to_string(&file).unwrap();
        let tests = tests_of(&name, &text);
        let may_sleep =
            WAITS.contains(&name.as_str()) || name.starts_with("src/") && tests.contains(PAUSED_CLOCK);
        if sleeps(tests) && !may_sleep && name != "tests/it/repository/waiting.rs" {
            broken.push(format!(
                "{name}: a test sleeps. Wait with `eventually`, or pause the clock (`{PAUSED_CLOCK}`)."
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn finds_sleeps_in_every_notation() {
    for (line, found) in [
        ("tokio::time::sleep(PAUSE).await;", true),
        ("std::thread::sleep(PAUSE);", true),
        ("    sleep_until(at).await;", true),
        ("let oversleep(x) = 1;", false),
        ("// sleep(1)", false),
        ("fn tests_do_not_sleep() {}", false),
    ] {
        assert_eq!(sleeps(line), found, "{line}");
    }
    assert_eq!(tests_of("src/a.rs", "sleep(1);\n#[cfg(test)]\nmod tests {}"), "#[cfg(test)]\nmod tests {}");
}
