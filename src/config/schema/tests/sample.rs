//! The sample `config/deployment.toml` has every key in its table, with its default or an example.

use std::{collections::BTreeMap, fs};

use super::{project, published};
use crate::config::{
    effective, load,
    schema::{self, DocumentedKey},
};

const FILE: &str = "config/deployment.toml";

#[test]
fn sample_names_every_key_in_its_table() {
    let text = fs::read_to_string(project(FILE)).unwrap();
    published(FILE, &with_missing_keys(&text, &schema::keys(&schema::deployment())));
}

/// The sample with a line for each key that it has not: the default commented out as `#key = value`, an example, or a key of
/// a table that is commented out, as `# key = value`.
fn with_missing_keys(text: &str, keys: &[DocumentedKey]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for key in keys.iter().filter(|key| !key.table) {
        let path = key.path.replace("[]", "");
        let (table, name) = path.rsplit_once('.').unwrap_or(("", &path));
        let begin = lines.iter().position(|line| header_of(line) == Some(table));
        assert!(
            begin.is_some() || table.is_empty(),
            "{FILE} has no table [{table}] for {path}: write its header, as a comment if it is optional"
        );
        let begin = begin.map_or(0, |header| header + 1);
        let rest = lines.iter().skip(begin);
        let end = begin + rest.take_while(|line| header_of(line).is_none()).count();
        let in_table = || lines.iter().take(end).enumerate().skip(begin);
        if in_table().any(|(_, line)| names(line, name)) {
            continue;
        }
        let last = in_table().filter(|(_, line)| is_setting(line)).map(|(index, _)| index + 1).next_back();
        let is_commented_out = begin > 0 && lines.get(begin - 1).is_some_and(|line| line.starts_with('#'));
        lines.insert(last.unwrap_or(begin), sample_line(name, key, is_commented_out));
    }
    lines.join("\n") + "\n"
}

fn sample_line(name: &str, key: &DocumentedKey, is_commented_out: bool) -> String {
    let effect = key.effect.split(['.', ';']).next().unwrap_or_default();
    let value = key.default_value.as_ref().or(key.example.as_ref()).unwrap_or_else(|| {
        panic!(
            "{}: its default is not a value, so write \"examples\" = [ … ] beside it for the sample",
            key.path
        )
    });
    let mark = if key.default_value.is_some() && !is_commented_out { "#" } else { "# " };
    // texts, numbers and lists are the same in JSON and TOML
    format!("{:<35} # {effect}", format!("{mark}{name} = {value}"))
}

/// `server.tls` of `[server.tls]`, `# [server.tls]` and `[[server.tls]]`.
fn header_of(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['#', ' ']).strip_prefix('[')?;
    let (name, _) = line.trim_start_matches('[').split_once(']')?;
    is_name(name).then_some(name)
}

/// Whether the line has `name = …`, commented out or not.
fn names(line: &str, name: &str) -> bool {
    let setting = format!("{name} = ");
    line.match_indices(&setting).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default().chars().next_back();
        before.is_none_or(|c| matches!(c, '#' | ' '))
    })
}

/// `workers = 2`, `#workers = 2` and `# workers = 2`.
fn is_setting(line: &str) -> bool {
    line.trim_start_matches(['#', ' ']).split_once(" = ").is_some_and(|(name, _)| is_name(name))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.'))
}

#[test]
fn sample_shows_defaults_and_valid_examples() {
    let file = project(FILE);
    let text = fs::read_to_string(&file).unwrap();
    let plain = load::parse(&text, &file, &BTreeMap::new()).unwrap_or_else(|m| panic!("{m:#?}"));
    // `#key = value` is a default, `# key = value` an example
    let is_key = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let uncommented: Vec<_> =
        text.lines().map(|line| line.strip_prefix('#').filter(|rest| is_key(rest)).unwrap_or(line)).collect();
    let written =
        load::parse(&uncommented.join("\n"), &file, &BTreeMap::new()).unwrap_or_else(|m| panic!("{m:#?}"));
    assert_eq!(effective::to_toml(&written), effective::to_toml(&plain));
    // and the examples, once uncommented too, are accepted
    let examples: Vec<_> = text
        .lines()
        .map(|line| {
            let bare = line.strip_prefix("# ").unwrap_or(line).trim_start_matches('#');
            if is_key(bare) && bare.contains(" = ") || bare.starts_with('[') { bare } else { "" }
        })
        .collect();
    let examples = examples.join("\n").replace("http://127", "https://127");
    if let Err(mistakes) = load::parse(&examples, &file, &BTreeMap::new()) {
        // keys that exclude or duplicate each other, and secret files that do not exist
        for mistake in mistakes {
            let expected = [
                "client_secret_file",
                "store_url_file",
                "token_file",
                "guard",
                "issuer[0]",
                "issuer[0].tenant",
            ];
            let twice = mistake.message.contains("is set twice");
            assert!(twice || expected.iter().any(|key| mistake.key.ends_with(key)), "{mistake}");
        }
    }
}

#[test]
fn missing_keys_are_added_to_their_table() {
    let key =
        |path: &str, default: Option<serde_json::Value>, example: Option<serde_json::Value>| DocumentedKey {
            path: path.to_owned(),
            form: String::new(),
            default: String::new(),
            default_value: default,
            example,
            effect: "Threads at a time; then 503. More.".to_owned(),
            source: String::new(),
            restart: false,
            table: false,
        };
    let keys = [
        key("server.workers", Some(4.into()), None),
        key("server.tls.certificate[].cert_file", None, Some("a.pem".into())),
        key("admin.listen", Some("off".into()), None),
    ];
    let sample = "[server]\n#listen = []\n\n# [[server.tls.certificate]]\n[admin]\nlisten = \"x\"\n";
    let expected = "[server]\n#listen = []\n#workers = 4                        # Threads at a time\n\n\
         # [[server.tls.certificate]]\n# cert_file = \"a.pem\"               # Threads at a time\n[admin]\nlisten = \"x\"\n";
    assert_eq!(with_missing_keys(sample, &keys), expected);
    assert_eq!(with_missing_keys(expected, &keys), expected);
}
