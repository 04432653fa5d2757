//! The examples of the documents work: the real loader reads each of them.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use doorward::internals::{
    config::{Settings, load::load, tenant_file},
    domain::route::AccessLevel,
};
use http::StatusCode;

#[test]
fn the_configuration_shown_in_the_readme_is_accepted() {
    let smallest = blocks("README.md", "toml");
    let accounts = blocks("docs/guides/accounts.md", "toml");
    let guards = blocks("docs/guides/login-guard.md", "toml");
    assert_eq!((smallest.len(), accounts.len()), (1, 1));
    // a reader adds the tables of the next page to the file of this one
    let settings = settings(&format!("{}\n{}\n{}", smallest[0], accounts[0], guards[0]));
    assert!(settings.accounts.enabled && settings.defaults.rules.account_lock.enabled);
    assert_eq!(settings.defaults.guards.len(), 2);
}

/// Each example is a whole file, or tables that are added to one.
#[test]
fn accepts_every_toml_example_of_the_documents() {
    let mut examples = 0;
    for document in documents() {
        for example in blocks(&document, "toml") {
            let mut text = example.clone();
            if !example.contains("[[portal.upstream]]") {
                text.push_str("\n[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n");
            }
            if example.contains("[[guard]]") && !example.contains("[accounts]") {
                text.push_str("\n[accounts]\nenabled = true\n[account_lock]\nenabled = true\n");
            }
            let settings = settings(&text);
            let guards = example.lines().filter(|line| line.starts_with("[[guard]]")).count();
            assert_eq!(settings.defaults.guards.len(), guards, "{document}: {example}");
            examples += 1;
        }
    }
    assert!(examples >= 25, "{examples}");
}

/// A rule for portals of any kind, as INTEGRATIONS.md shows it.
#[test]
fn the_rules_shown_for_any_portal_mean_what_they_say() {
    let examples = blocks("docs/INTEGRATIONS.md", "toml");
    let generic = examples.iter().find(|example| example.contains("profile = \"generic\"")).unwrap();
    let settings = settings(generic);
    let routes = &settings.defaults.route_table;
    for (method, path, access) in [
        ("GET", "/assets/app.css", AccessLevel::Open),
        ("GET", "/docs/start", AccessLevel::Anonymous),
        ("GET", "/account/password", AccessLevel::SignedIn),
        ("GET", "/Account", AccessLevel::SignedIn),
    ] {
        assert_eq!(routes.classify(method, path).access, access, "{method} {path}");
    }
}

#[test]
fn readme_tenant_file_is_valid() {
    let examples = blocks("README.md", "json");
    let conf = tenant_file::parse(&examples[0], &PathBuf::from("tenant-conf.json")).unwrap();
    assert_eq!((conf.anonymous, conf.hosts), (Some(false), vec!["apis.acme.example".to_owned()]));
}

#[test]
fn document_links_resolve() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut links = 0;
    for document in documents() {
        let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
        let text = read(&document);
        for (link, _) in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root.join(&document) } else { root.join(folder).join(file) };
            assert!(target.exists(), "{document} links to {link}");
            let is_there =
                anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor);
            assert!(is_there, "{document} links to {link}: no such heading");
            links += 1;
        }
    }
    assert!(links > 100, "{links}");
    for file in ["deploy/doorward.service", "deploy/kubernetes-sidecar.yaml", "deploy/Containerfile"] {
        assert!(read("docs/OPERATIONS.md").contains(file) && root.join(file).exists(), "{file}");
    }
}

/// A map that names a file which has moved misleads its reader.
#[test]
fn source_paths_in_documents_exist() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (mut missing, mut checked) = (Vec::new(), 0);
    for document in documents() {
        let text = read(&document);
        let code = text.split('`').skip(1).step_by(2);
        let is_path = |path: &&str| {
            let is_ours = ["src/", "tests/", "benches/", "deploy/", "fuzz/"]
                .iter()
                .any(|folder| path.starts_with(folder));
            is_ours && !path.contains(['<', '*', '…', ' '])
        };
        for path in code.filter(is_path) {
            checked += 1;
            if !root.join(path).exists() {
                missing.push(format!("{document} names {path}, which does not exist"));
            }
        }
    }
    assert!(checked > 50, "{checked}");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The reader of a report finds the test of it, and the reader of a test the report.
#[test]
fn each_reported_issue_is_named_by_its_test() {
    let tests = read("tests/it/access/reported_issues.rs");
    let named = tests.matches("/// wso2/").count();
    assert_eq!(named, tests.matches("#[test]").count());
}

/// A document that no other names is not found by a reader.
#[test]
fn each_guide_is_linked_from_the_configuration_reference() {
    let reference = read("docs/CONFIGURATION.md");
    let guides: Vec<String> =
        documents().into_iter().filter(|document| document.starts_with("docs/guides/")).collect();
    assert!(guides.len() >= 10, "{guides:?}");
    for guide in guides {
        let link = format!("]({}", guide.strip_prefix("docs/").unwrap());
        assert!(reference.contains(&link), "{guide}");
    }
}

#[test]
fn the_readme_is_short_and_shows_both_commands() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 150, "move what is for one kind of reader to its document");
    for command in ["make demo", "make test"] {
        assert!(readme.contains(command), "{command}");
    }
    assert!(read("CHANGELOG.md").lines().count() <= 80, "one short entry for each version");
}

#[test]
fn adr_references_exist_and_numbers_are_unique() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for (path, text) in sources() {
        for rest in text.split(concat!("`docs", "/adr/")).skip(1) {
            let file = rest.split('`').next().unwrap();
            assert!(root.join("docs/adr").join(file).exists(), "{}: {file}", path.display());
            named += 1;
        }
    }
    assert!(named > 0);
    let mut numbers: Vec<String> = fs::read_dir(root.join("docs/adr"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .map(|name| name[..4].to_owned())
        .collect();
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all);
}

/// A promise without its test is none.
#[test]
fn each_promise_in_security_md_has_its_tests() {
    let code: String = sources().into_iter().map(|(_, text)| text).collect();
    let document = read("docs/SECURITY.md");
    let promises: Vec<&str> = section(&document, "Promises by attacker and fault")
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise") && !line.starts_with("| ---"))
        .collect();
    assert!(promises.len() > 20, "{}", promises.len());
    for promise in promises {
        let tests = promise.rsplit_once("| `").unwrap_or_else(|| panic!("no test: {promise}")).1;
        for name in tests.split(['`', ',', ' ', '|']).filter(|name| !name.is_empty()) {
            let is_test = code.contains(&format!("fn {name}(")) || code.contains(&format!("def {name}("));
            assert!(is_test, "{name} is no test: {promise}");
        }
    }
}

/// From a heading of the second level to the next one.
fn section<'d>(document: &'d str, heading: &str) -> &'d str {
    let (_, after) = document.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("{heading}"));
    after.split("\n## ").next().unwrap_or(after)
}

/// Rust and Python below `src`, `tests` and `benches`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests"), root.join("benches")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|end| end == "rs" || end == "py") {
                let text = fs::read_to_string(&entry).unwrap();
                found.push((entry, text));
            }
        }
    }
    found
}

#[track_caller]
pub(super) fn settings(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tenants")).unwrap();
    if text.contains("\"certs/") {
        make_certificates(&folder.path().join("certs"));
    }
    let file = folder.path().join("deployment.toml");
    fs::write(&file, text).unwrap();
    load(&file, &BTreeMap::new()).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:#?}"))
}

/// Those that the guides tell readers to make.
fn make_certificates(folder: &Path) {
    let made = Command::new(env!("CARGO_BIN_EXE_doorward")).args(["certs", "--folder"]).arg(folder).output();
    assert!(made.unwrap().status.success());
    fs::copy(folder.join("ca.pem"), folder.join("admins.pem")).unwrap();
}

/// Everything written for readers, named from the root.
fn documents() -> Vec<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<String> = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(str::to_owned).into();
    for folder in ["docs", "docs/guides", "docs/adr"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|kind| kind == "md") {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found
}

/// The headings of a document, as links name them.
fn anchors(text: &str) -> HashSet<String> {
    let mut is_code = false;
    let mut found = HashSet::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        if let Some((_, heading)) =
            line.split_once("# ").filter(|(marks, _)| marks.trim_matches('#').is_empty())
            && !is_code
        {
            let dashed = heading.trim().to_lowercase().replace(' ', "-");
            found.insert(dashed.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect());
        }
    }
    found
}

fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = read(document);
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

pub(super) fn read(file: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Every status that the management API refuses with has its code in the documents.
#[test]
fn each_refusal_of_the_management_api_is_documented() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/web/management");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources: String =
        files.filter(|path| path.is_file()).map(|file| fs::read_to_string(file).unwrap()).collect();
    let documented = read("docs/GOVERNANCE.md");
    let mut refusals = 0;
    for status in (400..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
        let Some(reason) = status.canonical_reason() else { continue };
        let name = reason.to_uppercase().replace(' ', "_");
        if sources.contains(&format!("StatusCode::{name}")) {
            refusals += 1;
            assert!(documented.contains(&format!("`MGT-{}00`", status.as_u16())), "{status}");
        }
    }
    assert_eq!(refusals, 13, "as many as there are");
}
