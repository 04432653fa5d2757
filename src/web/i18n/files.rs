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
const MAX_FILES: usize = 100;

/// The valid files of the folder, by language.
pub fn read_folder(folder: &Path) -> BTreeMap<String, FluentResource> {
    let mut found = BTreeMap::new();
    for (tag, file) in list_files(folder) {
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
pub fn list_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let file = entry.ok()?.path();
            let tag = file.file_name()?.to_str()?.strip_suffix(".ftl")?.to_owned();
            let is_tag = (2..=3).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_lowercase());
            is_tag.then_some((tag, file))
        })
        .take(MAX_FILES)
        .collect();
    files.sort();
    files
}

/// A syntax error, with its position from 1.
#[derive(Debug)]
pub struct SyntaxError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// The texts and the keys that none of our pages knows; or every mistake, with its place.
pub fn parse(source: String) -> Result<(FluentResource, Vec<String>), Vec<SyntaxError>> {
    match FluentResource::try_new(source) {
        Ok(resource) => {
            let unknown = message_keys(&resource).difference(&KNOWN_KEYS).cloned().collect();
            Ok((resource, unknown))
        }
        Err((resource, mistakes)) => {
            let flaw = |position, message| {
                let before = resource.source().get(..position).unwrap_or_default();
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                SyntaxError { line: before.matches('\n').count() + 1, column, message }
            };
            Err(mistakes.iter().map(|mistake| flaw(mistake.pos.start, mistake.kind.to_string())).collect())
        }
    }
}

/// The keys that pages use.
pub static KNOWN_KEYS: LazyLock<BTreeSet<String>> = LazyLock::new(|| message_keys(&ENGLISH_RESOURCE));

/// Ours in English: every other file is held to it.
pub static ENGLISH_RESOURCE: LazyLock<FluentResource> = LazyLock::new(|| {
    let (Ok(resource) | Err((resource, _))) = FluentResource::try_new(ENGLISH.to_owned());
    resource
});

fn message_keys(resource: &FluentResource) -> BTreeSet<String> {
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
    fn reports_a_syntax_error_with_its_line() {
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
        let tags: Vec<String> = list_files(folder.path()).into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags, ["de", "haw"]);
    }
}
