//! A `deployment.toml` under construction: values that Doorward would refuse are not added.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use toml::Value;

use super::report::{ImportReport, Outcome};
use crate::config::load;

/// The tables in the order in which `doorward init` writes them; others come last.
const ORDER: [&str; 13] = [
    "apim.devportal",
    "portal",
    "portal.upstream",
    "server",
    "server.tls",
    "admin",
    "sign_in",
    "issuer",
    "accounts",
    "session",
    "account_lock",
    "password_policy",
    "access",
];

/// A portal for the trial of a single setting.
const TRIAL_PORTAL: &str = "[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n";

#[derive(Default)]
pub struct DeploymentDraft {
    tables: Vec<DraftTable>,
    pub report: ImportReport,
}

struct DraftTable {
    name: String,
    /// `[[name]]`
    is_item: bool,
    /// Written as comments, to be switched on by hand.
    is_disabled: bool,
    comment: Option<String>,
    entries: Vec<(String, Value)>,
}

impl DraftTable {
    fn new(name: &str, is_item: bool) -> Self {
        Self { name: name.to_owned(), is_item, is_disabled: false, comment: None, entries: Vec::new() }
    }

    fn put(&mut self, key: &str, value: Value) {
        self.entries.retain(|(known, _)| known != key);
        self.entries.push((key.to_owned(), value));
    }

    fn to_toml(&self) -> String {
        let mut text = String::new();
        for line in self.comment.iter().flat_map(|comment| comment.lines()) {
            let _ = writeln!(text, "# {line}");
        }
        let mark = if self.is_disabled { "# " } else { "" };
        let (open, close) = if self.is_item { ("[[", "]]") } else { ("[", "]") };
        let _ = writeln!(text, "{mark}{open}{}{close}", self.name);
        for (key, value) in &self.entries {
            // a value may have several lines, and all of them belong to the comment
            for line in format!("{key} = {value}").lines() {
                let _ = writeln!(text, "{mark}{line}");
            }
        }
        text
    }

    /// Why Doorward refuses this table.
    fn problem(&self) -> Option<String> {
        let portal = if self.name == "portal.upstream" { "" } else { TRIAL_PORTAL };
        let text = format!("{portal}{}", self.to_toml());
        let mistakes = load::parse(&text, Path::new("deployment.toml"), &BTreeMap::new()).err()?;
        let key = match self.entries.as_slice() {
            _ if self.is_item => format!("{}[", self.name),
            [(key, _)] => format!("{}.{key}", self.name),
            _ => self.name.clone(),
        };
        // other mistakes need the whole file
        mistakes.into_iter().find(|mistake| mistake.key.starts_with(&key)).map(|mistake| mistake.message)
    }
}

impl DeploymentDraft {
    /// A setting without a counterpart in the source. `target` is `table.key`.
    pub fn add_default(&mut self, target: &str, value: impl Into<Value>) {
        let (table, key) = target.rsplit_once('.').unwrap_or(("", target));
        self.edit(table, |table| table.put(key, value.into()));
    }

    /// Takes `source` over as `target`, or reports why Doorward refuses the value.
    pub fn set(&mut self, source: &str, target: &str, value: impl Into<Value>) -> bool {
        self.set_with_note(source, target, value, "")
    }

    /// Like `set`; the note describes the difference.
    pub fn set_with_note(&mut self, source: &str, target: &str, value: impl Into<Value>, note: &str) -> bool {
        let (table, key) = target.rsplit_once('.').unwrap_or(("", target));
        let note = if note.is_empty() { String::new() } else { format!("; {note}") };
        let is_set = self.try_set(source, table, key, value.into());
        if is_set {
            self.taken_over(source, format!("as `{target}`{note}"));
        }
        is_set
    }

    /// Like `set`, where the key has dots of its own.
    pub fn set_in_table(&mut self, source: &str, table: &str, key: &str, value: Value) {
        if self.try_set(source, table, key, value) {
            self.taken_over(source, format!("as the same key of `[{table}]`"));
        }
    }

    fn try_set(&mut self, source: &str, table: &str, key: &str, value: Value) -> bool {
        let mut trial = DraftTable::new(table, false);
        trial.put(key, value.clone());
        if let Some(problem) = trial.problem() {
            self.left(source, format!("`{table}.{key}` cannot be set to this: {problem}"));
            return false;
        }
        self.edit(table, |table| table.put(key, value));
        true
    }

    /// Takes `source` over as a further `[[table]]`.
    pub fn push(&mut self, source: &str, table: &str, entries: Vec<(&str, Value)>, note: &str) -> bool {
        let mut item = DraftTable::new(table, true);
        item.entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        if let Some(problem) = item.problem() {
            self.left(source, format!("`[[{table}]]` cannot have this: {problem}"));
            return false;
        }
        let text =
            if note.is_empty() { format!("as `[[{table}]]`") } else { format!("as `[[{table}]]`: {note}") };
        self.taken_over(source, text);
        self.tables.push(item);
        true
    }

    /// A `[[table]]` that the operator may switch on.
    pub fn push_disabled(&mut self, table: &str, entries: Vec<(&str, Value)>, comment: &str) {
        let mut item = DraftTable::new(table, true);
        item.entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        (item.is_disabled, item.comment) = (true, Some(comment.to_owned()));
        self.tables.push(item);
    }

    /// A setting of every item of `[[table]]`.
    pub fn set_in_items(&mut self, table: &str, key: &str, value: &Value) {
        for item in self.tables.iter_mut().filter(|item| item.name == table && item.is_item) {
            item.entries.push((key.to_owned(), value.clone()));
        }
    }

    pub fn has_item(&self, table: &str, key: &str, value: &str) -> bool {
        let mut items = self.tables.iter().filter(|item| item.name == table && !item.is_disabled);
        items.any(|item| {
            item.entries.iter().any(|(name, written)| name == key && written.as_str() == Some(value))
        })
    }

    pub fn comment(&mut self, table: &str, comment: &str) {
        self.edit(table, |table| table.comment = Some(comment.to_owned()));
    }

    pub fn taken_over(&mut self, source: &str, text: impl Into<String>) {
        self.report.add(source, Outcome::TakenOver, text);
    }

    pub fn noted(&mut self, source: &str, text: &str) {
        self.report.add(source, Outcome::Noted, text);
    }

    pub fn left(&mut self, source: &str, text: impl Into<String>) {
        self.report.add(source, Outcome::Left, text);
    }

    fn edit(&mut self, name: &str, change: impl FnOnce(&mut DraftTable)) {
        if let Some(table) = self.tables.iter_mut().find(|table| table.name == name && !table.is_item) {
            change(table);
        } else {
            let mut table = DraftTable::new(name, false);
            change(&mut table);
            self.tables.push(table);
        }
    }

    /// `origin` names the source in the first line.
    pub fn to_toml(&self, origin: &str) -> String {
        let rank =
            |table: &DraftTable| ORDER.iter().position(|name| *name == table.name).unwrap_or(ORDER.len());
        let mut tables: Vec<&DraftTable> = self.tables.iter().collect();
        tables.sort_by_key(|table| rank(table));
        let mut text = format!(
            "# Settings of Doorward, imported from {origin}. `doorward check --config FILE` shows all that is in effect;\n\
             # docs/CONFIGURATION.md explains every key.\n"
        );
        for table in tables {
            let _ = write!(text, "\n{}", table.to_toml());
        }
        text
    }
}

/// A key as TOML writes it.
pub fn toml_key(name: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_value_that_doorward_would_refuse() {
        let mut draft = DeploymentDraft::default();
        assert!(draft.set("cookie_expire", "session.lifetime", "168h"));
        assert!(!draft.set("http_address", "server.listen", vec!["nowhere"]));
        assert!(!draft.push("upstreams[0]", "portal.upstream", vec![("url", "ftp://a".into())], ""));
        let text = draft.to_toml("a test");
        assert!(text.contains("[session]\nlifetime = \"168h\"\n") && !text.contains("nowhere"), "{text}");
        assert_eq!(draft.report.settings[1].outcome, Outcome::Left);
    }

    /// Attack by mishap: a value of several lines ends the comment that it is in.
    #[test]
    fn attack_value_that_leaves_its_comment() {
        let mut draft = DeploymentDraft::default();
        draft.push_disabled("issuer", vec![("issuer", "x\n[access]\nforward_token = true\n".into())], "off");
        let text = draft.to_toml("a test");
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "{text}");
    }
}
