//! Holds the vocabulary: names of types and tests, parameters of functions, subjects of comments and messages.

use std::{collections::BTreeMap, fs, path::Path};

use syn::visit::{self, Visit};

use super::architecture::{files, root};

/// Names that idiomatic Rust uses in many modules.
const SHARED_TYPE_NAMES: &[&str] = &["Error", "Kind", "Options", "Builder"];

const MAX_TEST_NAME: usize = 60;
const MAX_PARAMETERS: usize = 5;

/// In place of an escaped end of line in a text.
const CONTINUED: &str = "\u{1f}";

/// Subjects without a person or component, and where they are allowed: a text for end users, with the reason.
const HEADLESS_SUBJECTS: &[&str] = &["nobody", "somebody", "whoever", "everybody"];
const ALLOWED_SUBJECTS: &[(&str, &str)] = &[
    ("src/domain/password/violation.rs", "a text for end users, the same as in the locales"),
    ("src/web/view/password.rs", "compares a text for end users"),
];

#[derive(Default)]
struct Names {
    /// Types of modules; a type inside a trait or an `impl` is associated.
    types: Vec<String>,
    tests: Vec<String>,
    /// Functions with a tuple parameter without a name, or with more than five parameters besides `self`.
    unnamed_parameters: Vec<String>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.types.push(item.ident.to_string());
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.types.push(item.ident.to_string());
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.types.push(item.ident.to_string());
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.types.push(item.ident.to_string());
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_test(&item.attrs) {
            self.tests.push(item.sig.ident.to_string());
        }
        visit::visit_item_fn(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        let is_tuple = |input: &syn::FnArg| matches!(input, syn::FnArg::Typed(typed) if matches!(*typed.pat, syn::Pat::Tuple(_)));
        let count = signature.inputs.iter().filter(|input| matches!(input, syn::FnArg::Typed(_))).count();
        if count > MAX_PARAMETERS || signature.inputs.iter().any(is_tuple) {
            self.unnamed_parameters.push(signature.ident.to_string());
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // fixtures of one test module have names of their own
        let is_test_module = item.attrs.iter().any(is_cfg_test);
        let types = self.types.len();
        visit::visit_item_mod(self, item);
        if is_test_module {
            self.types.truncate(types);
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().segments.last().is_some_and(|name| name.ident == "test"))
}

pub fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
}

fn names(file: &Path) -> Names {
    let mut names = Names::default();
    names.visit_file(&parsed(file));
    names
}

pub fn parsed(file: &Path) -> syn::File {
    let text = fs::read_to_string(file).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

pub fn rust_files(folders: &[&str]) -> impl Iterator<Item = (String, std::path::PathBuf)> {
    let all: Vec<_> = folders.iter().flat_map(|folder| files(&root().join(folder))).collect();
    all.into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
        .map(|file| (file.strip_prefix(root()).unwrap().display().to_string(), file))
}

pub fn is_test_file(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("/tests.rs")
}

#[test]
fn each_type_name_is_defined_once() {
    let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, file) in rust_files(&["src"]).filter(|(name, _)| !is_test_file(name)) {
        for type_name in names(&file).types {
            defined.entry(type_name).or_default().push(name.clone());
        }
    }
    assert!(defined.len() > 300, "{} types are too few to be all", defined.len());
    defined.retain(|name, places| places.len() > 1 && !SHARED_TYPE_NAMES.contains(&name.as_str()));
    assert!(defined.is_empty(), "give each a specific name: {defined:#?}");
}

#[test]
fn test_names_have_at_most_60_characters() {
    let tests: Vec<String> = rust_files(&["src", "tests"]).flat_map(|(_, file)| names(&file).tests).collect();
    assert!(tests.len() > 1000, "{} tests are too few to be all", tests.len());
    let long: Vec<&String> = tests.iter().filter(|name| name.len() > MAX_TEST_NAME).collect();
    assert!(long.is_empty(), "name the rule in at most {MAX_TEST_NAME} characters: {long:#?}");
}

#[test]
fn parameters_are_few_and_named() {
    let unnamed: Vec<String> = rust_files(&["src"])
        .filter(|(name, _)| !is_test_file(name))
        .flat_map(|(name, file)| {
            names(&file).unnamed_parameters.into_iter().map(move |function| format!("{name}: {function}"))
        })
        .collect();
    assert!(unnamed.is_empty(), "make a struct of the parameters: {unnamed:#?}");
}

#[test]
fn comments_and_messages_have_subjects() {
    let mut broken = Vec::new();
    for (name, file) in rust_files(&["src", "tests", "benches"]) {
        if name == "tests/it/repository/vocabulary.rs"
            || ALLOWED_SUBJECTS.iter().any(|(allowed, _)| *allowed == name)
        {
            continue;
        }
        // one line for each text, also if it continues on the next one
        let text = fs::read_to_string(&file).unwrap().replace("\\\n", CONTINUED);
        // user names and texts of pages are values in tests
        let is_code = name.starts_with("src") && !is_test_file(&name);
        let tests_start = if is_code { text.find("#[cfg(test)]\nmod tests") } else { Some(0) };
        let code = &text[..tests_start.unwrap_or(text.len())];
        let messages = code.lines().filter_map(|line| Some((line, subject_in_message(line)?)));
        let comments = text.lines().filter_map(|line| Some((line, subject_in_comment(line)?)));
        for (line, subject) in comments.chain(messages) {
            let line = line.trim().replace(CONTINUED, " ");
            broken.push(format!("{name}: \"{subject}\" is no subject, name the component: {line}"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn subject_in_comment(line: &str) -> Option<&str> {
    let comment =
        line.trim_start().strip_prefix("//").or_else(|| line.split_once(" // ").map(|(_, comment)| comment));
    comment.and_then(|comment| {
        let sentence = comment.trim_start_matches(['/', '!', ' ']);
        let opening = ["What ", "Who ", "Whose ", "Those who "]
            .into_iter()
            .find(|opening| sentence.starts_with(opening));
        let is_question = sentence.contains('?');
        opening.filter(|_| !is_question).or_else(|| subject_in(comment))
    })
}

/// Only in texts that are sentences.
fn subject_in_message(line: &str) -> Option<&str> {
    line.split('"').skip(1).step_by(2).filter(|text| text.contains(' ')).find_map(subject_in)
}

fn subject_in(text: &str) -> Option<&'static str> {
    let mut words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words.find_map(|word| HEADLESS_SUBJECTS.iter().find(|subject| **subject == word)).copied()
}

#[test]
fn finds_headless_subjects() {
    for (line, found) in [
        ("/// What a client holds.", Some("What ")),
        ("    // nobody reads it", Some("nobody")),
        ("let x = 1; // whoever asks", Some("whoever")),
        (r#"tracing::warn!("somebody has taken it");"#, Some("somebody")),
        ("\"asks, so \u{1f}   nobody is held up\"", Some("nobody")),
        (r#"let host = "nobody.example";"#, None),
        ("/// What is a burst? See the limits.", None),
        ("let nobody = 1;", None),
    ] {
        assert_eq!(subject_in_comment(line).or_else(|| subject_in_message(line)), found, "{line}");
    }
}
