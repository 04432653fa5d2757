//! Enforces the architecture: dependencies between modules, lengths of files, and dependencies that the domain must not have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::vocabulary::rust_files;

/// Each top-level module and the modules it may use. There are no cycles; `boot` and `cli` may use all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("crypto", &[]),
    ("http", &["domain"]),
    ("config", &["domain"]),
    ("sync", &["domain"]),
    ("telemetry", &["domain", "clock"]),
    ("token", &["domain", "config", "http", "crypto", "sync"]),
    ("store", &["domain", "config", "telemetry"]),
    ("tenants", &["domain", "config", "sync"]),
    ("session", &["domain", "clock", "config", "http", "crypto", "sync", "tenants", "store", "telemetry"]),
    ("account", &["domain", "config", "crypto", "sync", "tenants", "store", "session", "telemetry"]),
    ("governance", &["domain", "config", "telemetry", "tenants", "store"]),
    ("web_context", &["domain", "config"]),
    (
        "proxy",
        &[
            "domain",
            "clock",
            "crypto",
            "config",
            "http",
            "sync",
            "telemetry",
            "tenants",
            "token",
            "session",
            "account",
            "web_context",
        ],
    ),
    (
        "web",
        &[
            "domain",
            "clock",
            "crypto",
            "config",
            "http",
            "sync",
            "telemetry",
            "tenants",
            "token",
            "session",
            "account",
            "governance",
            "web_context",
        ],
    ),
    ("server", &["domain", "config", "sync", "telemetry", "proxy"]),
    ("admin", &["domain", "config", "http", "sync", "telemetry", "tenants", "token", "proxy", "server"]),
    ("demo", &["domain", "clock", "http", "web"]),
    ("fuzz", &["domain", "config", "token", "session", "proxy"]),
    (
        "boot",
        &[
            "domain",
            "clock",
            "crypto",
            "config",
            "sync",
            "telemetry",
            "tenants",
            "store",
            "token",
            "session",
            "account",
            "governance",
            "proxy",
            "web",
            "server",
            "admin",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "clock",
            "config",
            "telemetry",
            "tenants",
            "store",
            "session",
            "account",
            "governance",
            "proxy",
            "web",
            "server",
            "demo",
            "boot",
        ],
    ),
];

/// Files over `LONG` lines, sorted, each with its reason.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[];
const LONG: usize = 400;

/// Paths that the domain must not use: it takes time and randomness as arguments, and does no I/O.
const NOT_IN_DOMAIN: &[&str] = &[
    "tokio",
    "http::",
    "hyper",
    "std::fs",
    "std::net",
    "std::env",
    "SystemTime",
    "Instant::now",
    "fastrand",
    "reqwest",
    "aws_lc_rs",
    "sqlx",
];

/// Crates that `config` must not use: it turns text into settings; `tenants` keeps them up to date.
const NOT_IN_CONFIG: &[&str] = &["tokio", "notify::", "moka", "arc_swap"];

pub(super) struct Source {
    /// `proxy/pipeline.rs`
    pub(super) name: String,
    /// Lines that are code, with their numbers: comments are free to mention anything.
    pub(super) code: Vec<(usize, String)>,
}

#[test]
fn modules_depend_in_one_direction() {
    let mut broken = Vec::new();
    for source in sources() {
        let module = top_module(&source.name);
        if matches!(module, "lib" | "main" | "internals") {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            broken.push(format!("src/{}: a new top-level module needs a line in MAY_USE", source.name));
            continue;
        };
        for (number, used) in uses(&source) {
            if used != module && !allowed.contains(&used.as_str()) {
                broken.push(format!(
                    "src/{}:{number}: `{module}` uses `{used}`, but may use only {allowed:?}. Move what is shared \
                     down to a module both may use, or hand it over in `boot`.",
                    source.name
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn domain_does_no_io_and_reads_no_clock() {
    let why = "a rule decides and does nothing else: take the value as an argument";
    assert_absent(&["domain"], NOT_IN_DOMAIN, mentions, why);
}

#[test]
fn config_has_no_runtime_watcher_or_cache() {
    let why = "`config` resolves settings and holds no live state: that belongs in `tenants`";
    assert_absent(&["config"], NOT_IN_CONFIG, mentions, why);
}

/// Checking a password policy takes up to 100 ms, so it runs in the hash queue of `account`.
#[test]
fn serving_threads_check_no_password_policy() {
    let why = "this thread serves requests";
    let modules = ["web", "proxy", "server", "admin"];
    assert_absent(
        &modules,
        &[".violations(", "zxcvbn", "fancy_regex"],
        |line, word| line.contains(word),
        why,
    );
}

/// The actor and the registry use the loader, which knows neither: it sends commands.
#[test]
fn tenant_registry_has_no_import_circle() {
    let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
    for source in sources() {
        let Some(file) = source.name.strip_prefix("tenants/") else { continue };
        if file == "mod.rs" || file.contains("tests") {
            continue;
        }
        let mut names = names_after(&source, "crate::tenants::");
        if !file.contains('/') {
            names.extend(names_after(&source, "super::"));
        }
        let module = top_module(file);
        let others = names.into_iter().map(|(_, name)| name).filter(|name| name != module);
        uses.entry(module.to_owned()).or_default().extend(others);
    }
    assert!(uses.len() > 10, "{uses:?}");
    // what uses none of the rest is in no circle
    loop {
        let rest: BTreeSet<String> = uses.keys().cloned().collect();
        uses.retain(|_, used| !used.is_disjoint(&rest));
        if uses.len() == rest.len() {
            break;
        }
    }
    assert!(uses.is_empty(), "a circle in src/tenants: {uses:?}");
}

/// The whole file, with its tests.
#[test]
fn long_files_need_a_reason() {
    let lines: BTreeMap<String, usize> = rust_files(&["src", "tests/it", "benches"])
        .map(|(name, file)| (name, fs::read_to_string(file).unwrap().lines().count()))
        .collect();
    let long: Vec<_> =
        lines.iter().filter(|(_, lines)| **lines > LONG).map(|(name, _)| name.as_str()).collect();
    let allowed: Vec<_> = LONG_FOR_A_REASON.iter().map(|(name, _)| *name).collect();
    assert_eq!(long, allowed, "over {LONG} lines: split it by idea, or give the reason in LONG_FOR_A_REASON");
}

#[test]
fn no_file_names_a_build_path() {
    // spelled in two parts so that this file passes its own test
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut broken = Vec::new();
    for folder in ["src", "tests", "benches", "docs", "config", "deploy"] {
        for file in files(&root().join(folder)) {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            for place in places.iter().filter(|place| text.contains(**place)) {
                broken.push(format!("{}: mentions {place}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// No code of these modules has one of the words.
fn assert_absent(modules: &[&str], words: &[&str], has: fn(&str, &str) -> bool, why: &str) {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| modules.contains(&top_module(&source.name))) {
        for (number, line) in &source.code {
            for word in words.iter().filter(|word| has(line, word)) {
                broken.push(format!("src/{}:{number}: `{word}`: {why}.", source.name));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The modules that a file's code names after `crate::`, also inside `use crate::{a::b, c}`.
fn uses(source: &Source) -> Vec<(usize, String)> {
    names_after(source, "crate::")
}

fn names_after(source: &Source, prefix: &str) -> Vec<(usize, String)> {
    let text: String = source.code.iter().flat_map(|(_, line)| [line.as_str(), "\n"]).collect();
    let number_at = |offset: usize| {
        let index = text[..offset].matches('\n').count();
        source.code.get(index).map_or(0, |(number, _)| *number)
    };
    let mut found = Vec::new();
    for (offset, _) in text.match_indices(prefix) {
        if text[..offset].ends_with("pub(in ") {
            continue;
        }
        let rest = &text[offset + prefix.len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => first_names(group),
            None => vec![word(rest)],
        };
        found.extend(names.into_iter().filter(|name| !name.is_empty()).map(|name| (number_at(offset), name)));
    }
    found
}

/// The first word of each entry at the outer level of a `{…}` group.
fn first_names(group: &str) -> Vec<String> {
    let mut names = vec![word(group)];
    let mut depth = 0;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(word(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// `http::` is a crate, `"http://…"` is text, and `xhttp::` is another crate.
fn mentions(line: &str, wanted: &str) -> bool {
    line.match_indices(wanted).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '"' | '/' | '.'))
    })
}

fn top_module(name: &str) -> &str {
    name.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

pub(super) fn sources() -> Vec<Source> {
    let src = root().join("src");
    let rust = files(&src).into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs"));
    rust.map(|file| {
        let text = fs::read_to_string(&file).unwrap();
        let code = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line.to_owned()))
            .collect();
        let name = file.strip_prefix(&src).unwrap().display().to_string();
        Source { name, code }
    })
    .collect()
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            let skipped = path.file_name().is_some_and(|n| n == "node_modules" || n == "output");
            found.extend(if skipped { Vec::new() } else { files(&path) });
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn finds_module_uses_in_every_notation() {
    let source = |text: &str| Source {
        name: "x.rs".to_owned(),
        code: text.lines().enumerate().map(|(i, l)| (i + 1, l.to_owned())).collect(),
    };
    for (text, modules) in [
        ("use crate::web::page;", vec!["web"]),
        ("use crate::{\n    domain::{route::A, tenant},\n    config::model,\n};", vec!["domain", "config"]),
        ("fn f() -> crate::token::X { crate::boot::y() }", vec!["token", "boot"]),
        ("use super::x; // nothing", vec![]),
    ] {
        let found: Vec<String> = uses(&source(text)).into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, modules, "{text}");
    }
    assert!(mentions("use http::Method;", "http::") && !mentions("let x = \"http::\";", "http::"));
}
