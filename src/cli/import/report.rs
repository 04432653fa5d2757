//! The report of an import: each setting that was taken over, noted or left.

use std::fmt::Write as _;

use serde::Serialize;

/// The settings of the source, each once, in the order in which they were translated.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    pub settings: Vec<ReportLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportLine {
    /// The name in the source, as it is written there.
    pub key: String,
    pub outcome: Outcome,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is a setting of Doorward now.
    TakenOver,
    /// No action is needed.
    Noted,
    /// The operator has to decide or to do something.
    Left,
}

impl ImportReport {
    pub fn add(&mut self, key: &str, outcome: Outcome, text: impl Into<String>) {
        self.settings.push(ReportLine { key: key.to_owned(), outcome, text: text.into() });
    }

    /// In three parts; settings that need an action are last, where a terminal shows them.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (outcome, title) in [
            (Outcome::TakenOver, "taken over"),
            (Outcome::Noted, "noted: nothing to do"),
            (Outcome::Left, "left: decide or do this by hand"),
        ] {
            let lines: Vec<_> = self.settings.iter().filter(|line| line.outcome == outcome).collect();
            if lines.is_empty() {
                continue;
            }
            let _ = writeln!(text, "# {title}");
            for ReportLine { key, text: words, .. } in lines {
                let _ = writeln!(text, "{key}: {words}");
            }
            text.push('\n');
        }
        text
    }
}
