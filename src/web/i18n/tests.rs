//! The texts: complete in every language, and replaceable.

use std::{collections::BTreeSet, fs};

use super::*;
use crate::web::test_overrides::folder;

fn texts() -> Texts {
    Texts::new(None)
}

fn keys(source: &str) -> BTreeSet<&str> {
    source
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(" =").map(|(key, _)| key))
        .collect()
}

fn variables(source: &str, key: &str) -> BTreeSet<String> {
    let start = source.find(&format!("\n{key} =")).unwrap() + 1;
    let message: String = source[start..]
        .lines()
        .enumerate()
        .take_while(|(n, line)| *n == 0 || line.starts_with(' ') || line.starts_with('}'))
        .map(|(_, line)| line)
        .collect();
    message
        .split('$')
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect())
        .collect()
}

#[test]
fn the_locale_files_have_no_mistakes() {
    for source in [ENGLISH, ARABIC] {
        FluentResource::try_new(source.to_owned()).map_err(|(_, mistakes)| mistakes).unwrap();
    }
}

#[test]
fn every_locale_has_every_key_with_the_same_variables() {
    assert!(keys(ENGLISH).len() > 50);
    assert_eq!(keys(ENGLISH), keys(ARABIC));
    for key in keys(ENGLISH) {
        assert_eq!(variables(ENGLISH, key), variables(ARABIC, key), "{key}");
    }
}

#[test]
fn the_language_is_negotiated() {
    for (header, tag) in [
        ("", "en"),
        ("ar", "ar"),
        ("ar-EG,ar;q=0.9,en;q=0.8", "ar"),
        ("AR", "ar"),
        ("de,fr;q=0.9", "en"),
        ("de, ar;q=0.3", "ar"),
        ("en;q=0.2, ar;q=0.9", "ar"),
        ("ar;q=0, en", "en"),
        ("*", "en"),
        ("ar;q=nonsense", "en"),
        ("ar;q=NaN", "en"),
        (",,;;q=,", "en"),
    ] {
        assert_eq!(texts().negotiate(header).tag, tag, "{header:?}");
    }
}

#[test]
fn numbers_choose_the_right_plural() {
    let text = |tag, count: i64| {
        let mut arguments = FluentArgs::new();
        arguments.set("count", count);
        arguments.set("shown", count.to_string());
        texts().locale(tag).text("tenants-count", &arguments)
    };
    assert_eq!(text("en", 1), "One tenant");
    assert_eq!(text("en", 2), "2 tenants");
    assert_eq!(text("ar", 2), "مستأجران");
    assert_ne!(text("ar", 3), text("ar", 11));
}

#[test]
fn a_missing_key_shows_itself() {
    assert_eq!(texts().locale("ar").plain("no-such-key"), "no-such-key");
}

#[test]
fn operator_text_overrides_one_key() {
    let folder = folder(&[("en.ftl", "action-home = To the lobby\n")]);
    let texts = Texts::new(Some(folder.path().to_owned()));
    assert_eq!(texts.locale("en").plain("action-home"), "To the lobby");
    assert_eq!(texts.locale("en").plain("action-retry"), "Try again");
    assert_eq!(texts.locale("ar").plain("action-home"), "الذهاب إلى صفحة البداية");
}

#[test]
fn added_language_falls_back_to_english_by_key() {
    let folder = folder(&[("de.ftl", "action-home = Zur Startseite\n"), ("he.ftl", "language = עברית\n")]);
    let texts = Texts::new(Some(folder.path().to_owned()));
    let german = texts.negotiate("de-AT,en;q=0.5");
    assert_eq!((german.tag.as_str(), german.direction), ("de", "ltr"));
    assert_eq!(german.plain("action-home"), "Zur Startseite");
    assert_eq!(german.plain("action-retry"), "Try again");
    assert_eq!(texts.locale("he").direction, "rtl");
}

#[test]
fn a_broken_file_leaves_the_built_in_texts() {
    let folder = folder(&[("en.ftl", "action-home = To the lobby\naction-retry = { $unclosed\n")]);
    let texts = Texts::new(Some(folder.path().to_owned()));
    assert_eq!(texts.locale("en").plain("action-home"), "Go to the start page");
}

#[test]
fn text_with_unknown_variable_falls_back() {
    let folder = folder(&[("en.ftl", "action-home = Hello { $missing }\n")]);
    let texts = Texts::new(Some(folder.path().to_owned()));
    assert_eq!(texts.locale("en").plain("action-home"), "Go to the start page");
}

#[test]
fn reload_reads_the_folder_again() {
    let folder = folder(&[]);
    let texts = Texts::new(Some(folder.path().to_owned()));
    fs::write(folder.path().join("en.ftl"), "action-home = New\n").unwrap();
    assert_eq!(texts.locale("en").plain("action-home"), "Go to the start page");
    texts.reload();
    assert_eq!(texts.locale("en").plain("action-home"), "New");
}
