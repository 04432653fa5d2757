//! Texts of the operator's: `locales/<language>.ftl` beside the configuration file. A file with a mistake is reported
//! with its line and not used.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use fluent_bundle::FluentResource;
use fluent_syntax::ast::Entry;

use super::ENGLISH;

/// Languages are a handful; a folder of thousands of files is something else.
const MOST: usize = 100;

/// What can be used of the folder, by language.
pub fn read(folder: &Path) -> BTreeMap<String, FluentResource> {
    let mut found = BTreeMap::new();
    for (tag, file) in present(folder) {
        let source = match fs::read_to_string(&file) {
            Ok(source) => source,
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "texts cannot be read; showing the built-in ones");
                continue;
            }
        };
        match parse(source) {
            Ok((resource, unknown)) => {
                if !unknown.is_empty() {
                    tracing::warn!(file = %file.display(), keys = ?unknown, "no page shows these texts");
                }
                found.insert(tag, resource);
            }
            Err(flaws) => {
                let mistakes: Vec<String> =
                    flaws.iter().map(|flaw| format!("line {}: {}", flaw.line, flaw.message)).collect();
                tracing::error!(file = %file.display(), ?mistakes, "texts have mistakes; showing the built-in ones");
            }
        }
    }
    found
}

/// Languages and files that are there, in the order of their names.
pub fn present(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let file = entry.ok()?.path();
            let tag = file.file_name()?.to_str()?.strip_suffix(".ftl")?.to_owned();
            let is_tag = (2..=3).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_lowercase());
            is_tag.then_some((tag, file))
        })
        .take(MOST)
        .collect();
    files.sort();
    files
}

/// A place that is no Fluent, from 1.
#[derive(Debug)]
pub struct Flaw {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// The texts and the keys that none of our pages knows; or every mistake, with its place.
pub fn parse(source: String) -> Result<(FluentResource, Vec<String>), Vec<Flaw>> {
    match FluentResource::try_new(source) {
        Ok(resource) => {
            let unknown = keys(&resource).difference(&KNOWN).cloned().collect();
            Ok((resource, unknown))
        }
        Err((resource, mistakes)) => {
            let flaw = |position, message| {
                let before = resource.source().get(..position).unwrap_or_default();
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                Flaw { line: before.matches('\n').count() + 1, column, message }
            };
            Err(mistakes.iter().map(|mistake| flaw(mistake.pos.start, mistake.kind.to_string())).collect())
        }
    }
}

/// What our pages may show.
pub static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| keys(&REFERENCE));

/// Ours in English: every other file is held to it.
pub static REFERENCE: LazyLock<FluentResource> = LazyLock::new(|| {
    let (Ok(resource) | Err((resource, _))) = FluentResource::try_new(ENGLISH.to_owned());
    resource
});

fn keys(resource: &FluentResource) -> BTreeSet<String> {
    let message = |entry: &Entry<&str>| match entry {
        Entry::Message(message) => Some(message.id.name.to_owned()),
        _ => None,
    };
    resource.entries().filter_map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let mistakes = parse("a = fine\n\nb = { $unclosed\n".to_owned()).err().unwrap();
        assert!([3, 4].contains(&mistakes[0].line), "{mistakes:?}");
    }

    #[test]
    fn a_key_no_page_knows_is_found() {
        let (_, unknown) = parse("action-home = Start\naction-hoome = Start\n".to_owned()).unwrap();
        assert_eq!(unknown, ["action-hoome"]);
    }

    #[test]
    fn only_languages_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["de.ftl", "DE.ftl", "de.ftl~", "deutsch.ftl", "..ftl", "de-at.ftl", "haw.ftl", "x.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let tags: Vec<String> = present(folder.path()).into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags, ["de", "haw"]);
    }
}
