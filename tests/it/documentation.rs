//! What the documents show works: every example is read by the real loader.

use std::{collections::BTreeMap, fs, path::PathBuf};

use doorward::config::{Settings, load::load, tenant_file};

#[test]
fn the_configuration_shown_in_the_readme_is_accepted() {
    let examples = blocks("README.md", "toml");
    let [smallest, generic, accounts] = &examples[..] else { panic!("{}", examples.len()) };
    settings(generic);
    let settings = settings(&format!("{smallest}\n{accounts}"));
    assert!(settings.accounts.enabled && settings.defaults.account_lock.enabled);
    assert_eq!(settings.defaults.guards.len(), 1);
}

#[test]
fn the_tenant_file_shown_in_the_readme_means_what_it_says() {
    let examples = blocks("README.md", "json");
    let conf = tenant_file::parse(&examples[0], &PathBuf::from("tenant-conf.json")).unwrap();
    assert_eq!((conf.anonymous, conf.hosts), (Some(false), vec!["apis.acme.example".to_owned()]));
}

#[test]
fn the_configuration_in_the_kubernetes_example_is_accepted() {
    let yaml = read("deploy/kubernetes-sidecar.yaml");
    let (_, after) = yaml.split_once("deployment.toml: |\n").unwrap();
    let text: String =
        after.lines().take_while(|l| *l != "---").flat_map(|l| [l.trim_start(), "\n"]).collect();
    let settings = settings(&text);
    assert_eq!(settings.server.listen[0].to_string(), "0.0.0.0:8080");
    // the probes, the annotation and the configuration name the same port
    let admin = settings.admin.listen.unwrap().port().to_string();
    assert_eq!(yaml.matches(&format!("containerPort: {admin}")).count(), 1);
    assert_eq!(yaml.matches(&format!("prometheus.io/port: \"{admin}\"")).count(), 1);
}

#[test]
fn the_documents_name_only_what_is_there() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for (document, folder) in [("README.md", ""), ("docs/adr/README.md", "docs/adr")] {
        for link in read(document).split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let there = link.0.starts_with("http")
                || link.0.starts_with('#')
                || root.join(folder).join(link.0).exists();
            assert!(there, "{document} links to {}", link.0);
        }
    }
    for file in ["deploy/doorward.service", "deploy/kubernetes-sidecar.yaml", "deploy/Containerfile"] {
        assert!(read("README.md").contains(file) && root.join(file).exists(), "{file}");
    }
}

#[test]
fn decisions_that_the_code_names_are_there_and_each_number_stands_for_one() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests"), root.join("benches")];
    let mut named = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                for rest in text.split(concat!("`docs", "/adr/")).skip(1) {
                    let file = rest.split('`').next().unwrap();
                    assert!(root.join("docs/adr").join(file).exists(), "{}: {file}", entry.display());
                    named += 1;
                }
            }
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

#[track_caller]
fn settings(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tenants")).unwrap();
    let file = folder.path().join("deployment.toml");
    fs::write(&file, text).unwrap();
    load(&file, &BTreeMap::new()).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:#?}"))
}

fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = read(document);
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}
