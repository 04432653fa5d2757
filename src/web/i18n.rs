//! Texts in the visitor's language: Fluent locale files, embedded, English as the fallback.

use std::{cmp::Ordering, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

/// One language Doorward speaks.
pub struct Locale {
    /// The primary language subtag, as in `<html lang>`.
    pub tag: &'static str,
    /// `ltr` or `rtl`, as in `<html dir>`.
    pub direction: &'static str,
    bundle: FluentBundle<FluentResource>,
}

const ENGLISH: &str = include_str!("locales/en.ftl");
const ARABIC: &str = include_str!("locales/ar.ftl");

/// English stands first: it is the fallback.
static LOCALES: LazyLock<[Locale; 2]> =
    LazyLock::new(|| [Locale::new("en", "ltr", ENGLISH), Locale::new("ar", "rtl", ARABIC)]);

impl Locale {
    fn new(tag: &'static str, direction: &'static str, source: &str) -> Self {
        let id: LanguageIdentifier = tag.parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // Isolation marks keep a Latin name in an Arabic sentence in order. In left-to-right text they would
        // only end up in what people copy.
        bundle.set_use_isolating(direction == "rtl");
        let resource = match FluentResource::try_new(source.to_owned()) {
            Ok(resource) => resource,
            Err((resource, mistakes)) => {
                tracing::error!(locale = tag, ?mistakes, "a locale file has mistakes");
                resource
            }
        };
        bundle.add_resource_overriding(resource);
        Self { tag, direction, bundle }
    }

    /// The text behind `key`. A missing key shows as the key itself: visible, and never an error.
    pub fn text(&self, key: &str, arguments: &FluentArgs<'_>) -> String {
        self.lookup(key, arguments)
            .or_else(|| english().lookup(key, arguments))
            .unwrap_or_else(|| key.to_owned())
    }

    fn lookup(&self, key: &str, arguments: &FluentArgs<'_>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        let mut mistakes = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(arguments), &mut mistakes).into_owned();
        if !mistakes.is_empty() {
            tracing::warn!(locale = self.tag, key, ?mistakes, "a text could not be filled in completely");
        }
        Some(text)
    }
}

fn english() -> &'static Locale {
    let [english, ..] = &*LOCALES;
    english
}

/// The locale with this tag, or English.
pub fn locale(tag: &str) -> &'static Locale {
    LOCALES.iter().find(|locale| locale.tag == tag).unwrap_or_else(english)
}

/// The best locale for an `Accept-Language` header; regions are ignored (`ar-EG` is `ar`).
pub fn negotiate(accept_language: &str) -> &'static Locale {
    let mut wishes: Vec<(&str, f32)> = accept_language
        .split(',')
        .take(32) // a header of thousands of languages is no wish
        .filter_map(|wish| {
            let mut parts = wish.split(';');
            let range = parts.next()?.trim();
            let weight = parts
                .find_map(|parameter| parameter.trim().strip_prefix("q="))
                .map_or(Some(1.0), |written| written.trim().parse::<f32>().ok().filter(|q| q.is_finite()))?;
            (weight > 0.0).then_some((range, weight))
        })
        .collect();
    // stable: among equals the first one written wins
    wishes.sort_by(|(_, a), (_, b)| b.partial_cmp(a).unwrap_or(Ordering::Equal));
    wishes
        .iter()
        .find_map(|(range, _)| {
            let primary = range.split('-').next().unwrap_or(range);
            if primary == "*" {
                return Some(english());
            }
            LOCALES.iter().find(|locale| locale.tag.eq_ignore_ascii_case(primary))
        })
        .unwrap_or_else(english)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

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
            assert_eq!(negotiate(header).tag, tag, "{header:?}");
        }
    }

    #[test]
    fn numbers_choose_the_right_plural() {
        let text = |tag, count: i64| {
            let mut arguments = FluentArgs::new();
            arguments.set("count", count);
            arguments.set("shown", count.to_string());
            locale(tag).text("tenants-count", &arguments)
        };
        assert_eq!(text("en", 1), "One tenant");
        assert_eq!(text("en", 2), "2 tenants");
        assert_eq!(text("ar", 2), "مستأجران");
        assert_ne!(text("ar", 3), text("ar", 11));
    }

    #[test]
    fn a_missing_key_shows_itself() {
        assert_eq!(locale("ar").text("no-such-key", &FluentArgs::new()), "no-such-key");
    }
}
