//! What we ship is made of: crates from the registry only, under licences we chose, with one cryptography provider.
//! `deny.toml` says the same for `cargo deny`, which also knows advisories.

use std::process::Command;

/// A licence expression is fine when each of its `AND` parts offers one of these.
const LICENCES: [&str; 11] = [
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "ISC",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "CC0-1.0",             // notify
    "CDLA-Permissive-2.0", // root certificates, data and no code
];

/// A second cryptography provider, or one that needs a system library.
const UNWANTED: [&str; 5] = ["ring", "openssl", "openssl-sys", "native-tls", "rsa"];

#[test]
fn every_dependency_has_a_licence_and_a_source_we_chose() {
    for (name, licence, source) in shipped() {
        assert!(is_chosen(&licence), "{name} is under {licence:?}: decide here and in deny.toml");
        assert!(source.is_empty(), "{name} does not come from the registry: {source}");
        assert!(!UNWANTED.contains(&name.as_str()), "{name}: see `cargo tree -i {name}` for who brings it");
    }
}

#[test]
fn licence_expressions_are_read_as_written() {
    for (licence, chosen) in [
        ("MIT OR Apache-2.0", true),
        ("MIT/Apache-2.0", true),
        ("GPL-2.0-only OR Apache-2.0", true),
        ("ISC AND (Apache-2.0 OR GPL-3.0)", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(is_chosen(licence), chosen, "{licence}");
    }
}

fn is_chosen(licence: &str) -> bool {
    licence.split(" AND ").all(|part| part.split([' ', '/', '(', ')']).any(|word| LICENCES.contains(&word)))
}

/// Name, licence, and the source if it is another than the registry.
fn shipped() -> Vec<(String, String, String)> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none"])
        .args(["--no-dedupe", "--format", "{p}\t{l}"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut all: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("doorward "))
        .map(|line| {
            let (package, licence) = line.split_once('\t').unwrap_or((line, ""));
            let mut words = package.splitn(3, ' ');
            let name = words.next().unwrap_or_default().to_owned();
            // after the version stands `(proc-macro)`, or where a package comes from if not from the registry
            let source = words.nth(1).unwrap_or_default().replace("(proc-macro)", "");
            (name, licence.to_owned(), source.trim().to_owned())
        })
        .collect();
    all.sort();
    all.dedup();
    assert!(all.len() > 50, "cargo tree names our dependencies:\n{text}");
    all
}
