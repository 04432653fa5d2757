//! Texts in the visitor's language: Fluent locale files, embedded, and replaced text by text by files of the operator's.

mod check;
mod files;
mod negotiate;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::{ArcSwap, Guard};
use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

pub use check::mistakes;

const ENGLISH: &str = include_str!("../locales/en.ftl");
const ARABIC: &str = include_str!("../locales/ar.ftl");

/// The built-in locales. English is first: it is the fallback.
const BUILT_IN: [(&str, &str); 2] = [("en", ENGLISH), ("ar", ARABIC)];

/// Languages written from right to left, by primary subtag.
const RIGHT_TO_LEFT: [&str; 12] = ["ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"];

type Bundle = FluentBundle<FluentResource>;

/// One language of the pages.
pub struct Locale {
    /// The primary language subtag, as in `<html lang>`.
    pub tag: String,
    /// `ltr` or `rtl`, as in `<html dir>`.
    pub direction: &'static str,
    /// The operator's texts.
    operator_texts: Option<Bundle>,
    built_in: Option<Bundle>,
    fallback: Option<Arc<Locale>>,
}

impl Locale {
    /// The text behind `key`: the operator's, ours, the English one. A missing key shows as the key itself: visible, and
    /// never an error.
    pub fn text(&self, key: &str, arguments: &FluentArgs<'_>) -> String {
        self.lookup(key, arguments).unwrap_or_else(|| key.to_owned())
    }

    /// A text without anything to fill in.
    pub fn plain(&self, key: &str) -> String {
        self.text(key, &FluentArgs::new())
    }

    fn lookup(&self, key: &str, arguments: &FluentArgs<'_>) -> Option<String> {
        // an operator's text with an unknown variable falls back to the built-in one
        let own = self.operator_texts.as_ref().and_then(|bundle| {
            let (text, complete) = format_text(bundle, key, arguments)?;
            if !complete {
                tracing::warn!(
                    locale = self.tag,
                    key,
                    "a replaced text cannot be filled in; showing the built-in one"
                );
            }
            complete.then_some(text)
        });
        let built_in = || self.built_in.as_ref().and_then(|bundle| format_text(bundle, key, arguments));
        own.or_else(|| built_in().map(|(text, _)| text))
            .or_else(|| self.fallback.as_ref()?.lookup(key, arguments))
    }
}

/// The text, and whether every variable in it had a value.
fn format_text(bundle: &Bundle, key: &str, arguments: &FluentArgs<'_>) -> Option<(String, bool)> {
    let pattern = bundle.get_message(key)?.value()?;
    let mut mistakes = Vec::new();
    let text = bundle.format_pattern(pattern, Some(arguments), &mut mistakes).into_owned();
    Some((text, mistakes.is_empty()))
}

fn direction(tag: &str) -> &'static str {
    if RIGHT_TO_LEFT.contains(&tag) { "rtl" } else { "ltr" }
}

fn bundle(tag: &str, resource: FluentResource) -> Bundle {
    let id: LanguageIdentifier = tag.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![id]);
    // Isolation marks keep a Latin name in an Arabic sentence in order. In left-to-right text they would
    // only end up in what people copy.
    bundle.set_use_isolating(direction(tag) == "rtl");
    bundle.add_resource_overriding(resource);
    bundle
}

/// Every language at one moment; English first.
struct Locales(Vec<Arc<Locale>>);

impl Locales {
    /// `folder`: the operator's files, if there are any.
    fn read(folder: Option<&Path>) -> Self {
        let mut own = folder.map(files::read_folder).unwrap_or_default();
        let mut locales: Vec<Arc<Locale>> = Vec::new();
        for (tag, source) in BUILT_IN {
            // a test holds that ours have no mistakes
            let resource =
                FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
            locales.push(Arc::new(Locale {
                tag: tag.to_owned(),
                direction: direction(tag),
                operator_texts: own.remove(tag).map(|resource| bundle(tag, resource)),
                built_in: Some(bundle(tag, resource)),
                fallback: locales.first().cloned(),
            }));
        }
        for (tag, resource) in own {
            let direction = direction(&tag);
            let own = Some(bundle(&tag, resource));
            let fallback = locales.first().cloned();
            locales.push(Arc::new(Locale { tag, direction, operator_texts: own, built_in: None, fallback }));
        }
        Self(locales)
    }
}

/// All texts, in every language.
pub struct Texts {
    folder: Option<PathBuf>,
    locales: ArcSwap<Locales>,
}

impl Texts {
    /// `folder`: `locales/` beside the configuration file; it need not exist.
    pub fn new(folder: Option<PathBuf>) -> Self {
        let locales = Locales::read(folder.as_deref());
        Self { folder, locales: ArcSwap::from_pointee(locales) }
    }

    /// Reads the operator's files again.
    pub fn reload(&self) {
        self.locales.store(Arc::new(Locales::read(self.folder.as_deref())));
    }

    /// The locale with this tag, or English.
    pub fn locale(&self, tag: &str) -> Arc<Locale> {
        let locales = self.locales.load();
        let found = locales.0.iter().find(|locale| locale.tag == tag);
        found.cloned().unwrap_or_else(|| english(&locales))
    }

    /// The best locale for an `Accept-Language` header; regions are ignored (`ar-EG` is `ar`).
    pub fn negotiate(&self, accept_language: &str) -> Arc<Locale> {
        let locales = self.locales.load();
        let known = |tag: &str| locales.0.iter().find(|locale| locale.tag.eq_ignore_ascii_case(tag)).cloned();
        negotiate::preferred_languages(accept_language)
            .into_iter()
            .find_map(|tag| if tag == "*" { locales.0.first().cloned() } else { known(tag) })
            .unwrap_or_else(|| english(&locales))
    }
}

fn english(locales: &Guard<Arc<Locales>>) -> Arc<Locale> {
    locales.0.first().cloned().unwrap_or_else(|| {
        let (tag, direction) = ("en".to_owned(), "ltr");
        Arc::new(Locale { tag, direction, operator_texts: None, built_in: None, fallback: None })
    })
}

/// The files of texts an operator may put into `folder`, as far as they are known: the built-in languages, and the existing files.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = BUILT_IN.iter().map(|(tag, _)| folder.join(format!("{tag}.ftl"))).collect();
    files.extend(files::list_files(folder).into_iter().map(|(_, file)| file));
    files.sort();
    files.dedup();
    files
}

#[cfg(test)]
mod tests;
