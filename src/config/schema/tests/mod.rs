//! The published schemas and reference match the code.

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

use super::*;
use crate::config::{effective, load};

mod governance;
mod sample;

fn project(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Holds `file` to `expected`; with `UPDATE_SCHEMA=1` it writes it instead.
fn published(file: &str, expected: &str) {
    let path = project(file);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{file} is not what the code says; write it anew with: UPDATE_SCHEMA=1 cargo test --lib config::schema"
    );
}

#[test]
fn the_published_schemas_are_those_of_the_code() {
    for (file, schema) in
        [("config/deployment.schema.json", deployment()), ("config/tenant-conf.schema.json", tenant_conf())]
    {
        published(file, &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()));
    }
}

const BEGIN: &str =
    "<!-- made from the code from here on: UPDATE_SCHEMA=1 cargo test --lib config::schema -->\n";

#[test]
fn the_reference_has_every_key_and_no_other() {
    let file = "docs/CONFIGURATION.md";
    let text = fs::read_to_string(project(file)).unwrap();
    let (by_hand, _) =
        text.split_once(BEGIN).expect("the mark between what is written by hand and what is made");
    let mut expected = format!("{by_hand}{BEGIN}");
    reference("deployment.toml", &deployment(), &mut expected);
    reference("tenant-conf.json", &tenant_conf(), &mut expected);
    published(file, &expected);
    // and no document names a key that does not exist
    let known: Vec<_> =
        [deployment(), tenant_conf()].iter().flat_map(keys).map(|key| key.path.replace("[]", "")).collect();
    let is_key = |word: &str| {
        word.contains('.') && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
    };
    let mut named = 0;
    for (file, text) in documents() {
        for word in text.split('`').skip(1).step_by(2).filter(|word| is_key(word)) {
            let section = word.split('.').next().unwrap();
            if known.iter().any(|key| key == section) {
                assert!(known.iter().any(|key| key == word), "{file} names `{word}`, which is no key");
                named += 1;
            }
        }
    }
    assert!(named > 100, "{named}");
}

/// The documents that are written by hand for operators: file names with their texts.
fn documents() -> Vec<(String, String)> {
    let guides = fs::read_dir(project("docs/guides")).unwrap();
    let guides = guides.map(|entry| format!("docs/guides/{}", entry.unwrap().file_name().to_str().unwrap()));
    let pages = ["CONFIGURATION", "GLOSSARY", "GOVERNANCE", "INTEGRATIONS", "OPERATIONS", "SECURITY"];
    let files = pages.iter().map(|page| format!("docs/{page}.md")).chain(guides);
    files
        .chain(["README.md".to_owned()])
        .map(|file| {
            let text = fs::read_to_string(project(&file)).unwrap();
            let by_hand = text.split(BEGIN).next().unwrap_or_default().to_owned();
            (file, by_hand)
        })
        .collect()
}

fn reference(title: &str, schema: &Value, text: &mut String) {
    writeln!(text, "\n## {title}").unwrap();
    let all = keys(schema);
    let sections = std::iter::once("").chain(all.iter().filter(|key| key.table).map(|key| key.path.as_str()));
    for section in sections {
        let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
        let rows: Vec<_> = all
            .iter()
            .filter(|key| !key.table)
            .filter(|key| key.path.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('.')))
            .collect();
        if let Some(table) = all.iter().find(|key| key.path == section) {
            let bare = section.replace("[]", "");
            let heading = match (title, section.ends_with("[]")) {
                ("deployment.toml", true) => format!("[[{bare}]]"),
                ("deployment.toml", false) => format!("[{bare}]"),
                (_, true) => format!("{bare}: [ … ]"),
                (_, false) => format!("{bare}: {{ … }}"),
            };
            writeln!(text, "\n### `{heading}`\n\n{}", table.effect).unwrap();
        }
        if rows.is_empty() {
            continue;
        }
        writeln!(text, "\n| Key | Value | Default | Effect | Source |\n|---|---|---|---|---|").unwrap();
        for key in rows {
            let name = key.path.strip_prefix(&prefix).unwrap();
            let restart = if key.restart { " *Needs a restart.*" } else { "" };
            let cells = [
                format!("`{name}`"),
                key.form.clone(),
                key.default.clone(),
                format!("{}{restart}", key.effect),
                key.source.clone(),
            ];
            writeln!(text, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).unwrap();
        }
    }
}

#[test]
fn every_key_has_description_and_default() {
    for key in [deployment(), tenant_conf()].iter().flat_map(keys) {
        assert!(key.effect.ends_with('.'), "{key:?}");
        assert!(!key.form.contains("anything"), "{key:?}");
        assert!(key.table || !key.default.is_empty(), "{key:?}");
    }
}

/// The defaults the schema names are those that the code has.
#[test]
fn documented_defaults_are_in_effect() {
    let text = "[[portal.upstream]]\nurl = \"http://a:1\"\n[server.tls]\ncert_file = \"c\"\nkey_file = \"k\"\n\
        [[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]\njwks_file = \"j\"\n[issuer.introspection]\nurl = \"https://a\"\n\
        client_id = \"c\"\nclient_secret = \"s\"\n[accounts]\nenabled = true\n[[guard]]\nmatch = \"/x\"\nuser_in = \"basic\"\n\
        [account_lock.address]\n[account_lock.account_and_address]\n[account_lock.device]\n[[access.route]]\nmatch = \"/x\"\naccess = \"open\"\n";
    let settings = load::parse(text, &PathBuf::from("/d.toml"), &BTreeMap::new()).unwrap();
    let effective = effective::to_json(&settings);
    let mut compared = 0;
    for key in keys(&deployment()) {
        let Some(default) = key.default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
            continue;
        };
        let Ok(mut default) = serde_json::from_str::<Value>(default) else { continue };
        match key.path.as_str() {
            // shown as what it comes to; and what `[[guard]]` needs
            "server.workers" | "accounts.hash_parallel" | "accounts.enabled" => continue,
            "tenancy.folder" => default = "/tenants".into(),
            "accounts.store_url" => default = "sqlite:/doorward.db".into(),
            _ => {}
        }
        let pointer = format!("/{}", key.path.replace("[]", ".0").replace('.', "/"));
        assert_eq!(effective.pointer(&pointer), Some(&default), "{}", key.path);
        compared += 1;
    }
    assert!(compared > 35, "{compared}");
}
