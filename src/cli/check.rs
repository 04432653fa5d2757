//! `doorward check`: prints the effective configuration, then every mistake.

use std::{fmt::Write as _, io::Write as _, path::Path, process::ExitCode};

use crate::{
    clock::Clock,
    config::{
        check::{CheckReport, check},
        environment,
    },
    web,
};

/// Every file that Doorward would read. Exit code 0: no mistake. 2: there are some.
pub fn run(file: &Path, json: bool) -> ExitCode {
    let mut report = check(file, &environment(), Clock::system().now());
    if let Some(mistake) = super::folder_mistake(file) {
        report.mistakes = vec![mistake];
    }
    // the operator's templates and texts, beside the configuration
    report.mistakes.extend(web::mistakes(file.parent().unwrap_or(Path::new(""))));
    let text = if json { as_json(&report) } else { as_text(&report) };
    // a closed pipe means that the reader needs no more
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    ExitCode::from(if report.is_clean() { 0 } else { 2 })
}

fn as_text(report: &CheckReport) -> String {
    let mut text = String::new();
    if let Some(effective) = &report.effective_toml {
        let _ = writeln!(text, "# in effect:\n\n{effective}");
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    // last, where a terminal shows it
    for mistake in &report.mistakes {
        let _ = writeln!(text, "{mistake}");
    }
    let _ = match report.mistakes.len() {
        0 => {
            let s = if report.tenants == 1 { "" } else { "s" };
            writeln!(text, "# {}: no mistakes, {} tenant folder{s}", report.file.display(), report.tenants)
        }
        1 => writeln!(text, "\n# 1 mistake"),
        many => writeln!(text, "\n# {many} mistakes"),
    };
    text
}

fn as_json(report: &CheckReport) -> String {
    let document = serde_json::json!({ "ok": report.is_clean(), "report": report });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::time::Timestamp;

    fn report(text: &str) -> CheckReport {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("d.toml");
        std::fs::write(&file, text).unwrap();
        check(&file, &BTreeMap::new(), Timestamp::EPOCH)
    }

    const GOOD: &str = "[[portal.upstream]]\nurl = \"http://127.0.0.1:1\"\n[[issuer]]\nissuer = \"x\"\n\
        [issuer.introspection]\nurl = \"https://i\"\nclient_id = \"c\"\nclient_secret = \"geheim\"\n";

    #[test]
    fn prints_effective_configuration_without_secrets() {
        for text in [as_text(&report(GOOD)), as_json(&report(GOOD))] {
            assert!(text.contains("enable_anonymous_mode") && text.contains("********"), "{text}");
            assert!(!text.contains("geheim"), "{text}");
        }
        let document: serde_json::Value = serde_json::from_str(&as_json(&report(GOOD))).unwrap();
        assert_eq!(document["ok"], true);
        assert_eq!(document["report"]["effective"]["tenancy"]["ttl"], "15m");
    }

    #[test]
    fn one_folder_is_one_folder() {
        for (tenants, said) in
            [(0, "0 tenant folders\n"), (1, "1 tenant folder\n"), (2, "2 tenant folders\n")]
        {
            let text = as_text(&CheckReport { tenants, ..report(GOOD) });
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn each_mistake_is_a_line_and_a_value() {
        let bad = report("[server]\nworkers = \"x\"\n[sever]\n");
        let text = as_text(&bad);
        assert!(
            text.contains("d.toml:2:11: server.workers: ") && text.contains("\n# 3 mistakes\n"),
            "{text}"
        );
        let document: serde_json::Value = serde_json::from_str(&as_json(&bad)).unwrap();
        assert_eq!(document["ok"], false);
        assert!(
            document["report"]["mistakes"].as_array().unwrap().iter().any(|mistake| mistake["line"] == 2)
        );
    }

    #[test]
    fn mistakes_follow_the_effective_configuration() {
        let text = as_text(&report(&format!("[tenancy]\nfolder = \"nowhere\"\n{GOOD}")));
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
        assert!(at("enable_anonymous_mode") < at("this is not a folder"), "{text}");
        assert!(text.ends_with("\n# 1 mistake\n"), "{text}");
    }

    #[test]
    fn notes_do_not_change_the_exit_code() {
        let on = "[accounts]\nenabled = true\n[management]\npublic = true\nadmin_roles = []\n";
        let noted = report(&format!("{on}{}", GOOD.replace("\"x\"\n", "\"x\"\ntenant_claim = \"t\"\n")));
        let text = as_text(&noted);
        assert!(noted.is_clean(), "{text}");
        assert!(
            text.contains("\nnote: ") && text.contains("d.toml:5:15: management.admin_roles: "),
            "{text}"
        );
        assert!(text.ends_with("no mistakes, 0 tenant folders\n"), "{text}");
        let document: serde_json::Value = serde_json::from_str(&as_json(&noted)).unwrap();
        assert_eq!((&document["ok"], &document["report"]["notes"][0]["line"]), (&true.into(), &5.into()));
    }

    #[test]
    fn exit_code_reports_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("d.toml");
        let code = |code: ExitCode| format!("{code:?}");
        assert_eq!(code(run(&file, true)), code(ExitCode::from(2)));
    }
}
