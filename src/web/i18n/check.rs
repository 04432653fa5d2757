//! `doorward check` of the operator's texts: invalid Fluent, and texts that no page can show.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use fluent_bundle::FluentResource;
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::files::{ENGLISH_RESOURCE, KNOWN_KEYS, list_files, parse};
use crate::config::{Mistake, document::nearest::nearest};

/// Every mistake in the files of `folder`, which need not exist.
pub fn mistakes(folder: &Path) -> Vec<Mistake> {
    let mut found = Vec::new();
    let languages = list_files(folder);
    for file in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let is_read = languages.iter().any(|(_, known)| *known == file);
        if !is_read && file.extension().is_some_and(|end| end == "ftl") {
            let remedy = "name it after a language, without region: de.ftl";
            found.push(mistake(
                &file,
                None,
                "",
                "no language is called this, so this file has no effect",
                remedy,
            ));
        }
    }
    for (_, file) in languages {
        match fs::read_to_string(&file) {
            Ok(source) => check_file(&file, source, &mut found),
            Err(error) => {
                found.push(mistake(&file, None, "", &error.to_string(), "make it readable, or remove it"));
            }
        }
    }
    found
}

fn check_file(file: &Path, source: String, found: &mut Vec<Mistake>) {
    let (resource, unknown) = match parse(source) {
        Ok(parsed) => parsed,
        Err(errors) => {
            let remedy = "the whole file is left out: see https://projectfluent.org";
            found.extend(errors.iter().map(|flaw| {
                mistake(
                    file,
                    Some((flaw.line, flaw.column)),
                    "",
                    &format!("not Fluent: {}", flaw.message),
                    remedy,
                )
            }));
            return;
        }
    };
    let place = |key: &str| Some((line_of(resource.source(), key), 1));
    for key in &unknown {
        let remedy = similar_key(key, KNOWN_KEYS.iter()).map_or_else(
            || "remove it; the keys are those of src/web/locales/en.ftl".to_owned(),
            |known| format!("did you mean `{known}`?"),
        );
        found.push(mistake(file, place(key), key, "no page shows this text", &remedy));
    }
    let reference = message_references(&ENGLISH_RESOURCE);
    let own = message_references(&resource);
    for (key, references) in &own {
        // a page that does not know this text fills nothing in
        let Some(known) = reference.get(key) else { continue };
        for name in references.variables.difference(&known.variables) {
            let remedy =
                match known.variables.iter().map(|name| format!("`{{ ${name} }}`")).collect::<Vec<_>>() {
                    names if names.is_empty() => "nothing is filled in here: write it without".to_owned(),
                    names => format!("write {}", names.join(", ")),
                };
            let message = format!("there is no `{{ ${name} }}` in this text, so ours is shown");
            found.push(mistake(file, place(key), key, &message, &remedy));
        }
        for name in references.messages.iter().filter(|name| !own.contains_key(*name)) {
            let message = format!("`{{ {name} }}` is not in this file, so our text is shown");
            found.push(mistake(file, place(key), key, &message, "write it into this file as well"));
        }
    }
}

fn mistake(file: &Path, place: Option<(usize, usize)>, key: &str, message: &str, remedy: &str) -> Mistake {
    let (line, column) = place.unzip();
    Mistake { line, column, key: key.to_owned(), ..Mistake::whole(file, message, remedy) }
}

fn similar_key<'k>(key: &str, known: impl Iterator<Item = &'k String>) -> Option<String> {
    let known: Vec<String> = known.map(|known| known.replace('-', "_")).collect();
    nearest(key, known.iter().map(String::as_str)).map(|found| found.replace('_', "-"))
}

/// Where a text begins, from 1.
fn line_of(source: &str, key: &str) -> usize {
    let begins = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    source.lines().position(begins).map_or(1, |index| index + 1)
}

/// The variables and messages that a text refers to.
#[derive(Default)]
struct MessageReferences {
    variables: BTreeSet<String>,
    /// Other texts; terms with their `-`.
    messages: BTreeSet<String>,
}

fn message_references(resource: &FluentResource) -> BTreeMap<String, MessageReferences> {
    let mut texts = BTreeMap::new();
    for entry in resource.entries() {
        let (name, pattern) = match entry {
            Entry::Message(message) => (message.id.name.to_owned(), message.value.as_ref()),
            Entry::Term(term) => (format!("-{}", term.id.name), Some(&term.value)),
            _ => continue,
        };
        let mut asks = MessageReferences::default();
        if let Some(pattern) = pattern {
            asks.read(pattern);
        }
        texts.insert(name, asks);
    }
    texts
}

impl MessageReferences {
    fn read(&mut self, pattern: &Pattern<&str>) {
        for element in &pattern.elements {
            if let PatternElement::Placeable { expression } = element {
                self.read_expression(expression);
            }
        }
    }

    fn read_expression(&mut self, expression: &Expression<&str>) {
        match expression {
            Expression::Inline(inline) => self.read_inline(inline),
            Expression::Select { selector, variants } => {
                self.read_inline(selector);
                for variant in variants {
                    self.read(&variant.value);
                }
            }
        }
    }

    fn read_inline(&mut self, inline: &InlineExpression<&str>) {
        match inline {
            InlineExpression::VariableReference { id } => {
                self.variables.insert(id.name.to_owned());
            }
            InlineExpression::MessageReference { id, .. } => {
                self.messages.insert(id.name.to_owned());
            }
            InlineExpression::TermReference { id, .. } => {
                self.messages.insert(format!("-{}", id.name));
            }
            InlineExpression::FunctionReference { arguments, .. } => {
                arguments.positional.iter().for_each(|argument| self.read_inline(argument));
                arguments.named.iter().for_each(|argument| self.read_inline(&argument.value));
            }
            InlineExpression::Placeable { expression } => self.read_expression(expression),
            InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::test_overrides;

    fn reported_mistakes(file: &str, text: &str) -> Vec<String> {
        test_overrides::mistakes_in(mistakes, file, text)
    }

    #[test]
    fn texts_that_can_be_shown_have_no_mistakes() {
        assert_eq!(mistakes(Path::new("/nowhere/locales")), []);
        let text =
            "unknown-tenant-title = { $tenant } is not here\naction-home = { -start }\n-start = Start\n";
        assert_eq!(reported_mistakes("de.ftl", text), Vec::<String>::new());
        assert_eq!(reported_mistakes("README.md", "anything"), Vec::<String>::new());
        // ours themselves
        for (tag, source) in super::super::BUILT_IN {
            assert_eq!(reported_mistakes(&format!("{tag}.ftl"), source), Vec::<String>::new());
        }
    }

    #[test]
    fn each_mistake_has_a_file_a_line_a_key_and_a_remedy() {
        for (file, text, expected) in [
            ("de.ftl", "a = fine\n\nb = { $unclosed\n", "not Fluent: "),
            (
                "de.ftl",
                "\naction-hoome = Start\n",
                "de.ftl:2:1: action-hoome: no page shows this text (did you mean `action-home`?)",
            ),
            ("de.ftl", "qwertz = Start\n", "de.ftl:1:1: qwertz: no page shows this text (remove it"),
            (
                "de.ftl",
                "unknown-tenant-title = { $tenent }\n",
                "de.ftl:1:1: unknown-tenant-title: there is no `{ $tenent }` in this text, so ours is shown (write `{ $tenant }`)",
            ),
            ("de.ftl", "action-home = { $to }\n", "(nothing is filled in here: write it without)"),
            ("de.ftl", "action-home = { action-retry }\n", "`{ action-retry }` is not in this file"),
            (
                "de-at.ftl",
                "",
                "de-at.ftl: no language is called this, so this file has no effect (name it after a language",
            ),
        ] {
            let all = reported_mistakes(file, text);
            assert!(all.iter().any(|told| told.contains(expected)), "{text}: {all:?}");
        }
        assert!(reported_mistakes("de.ftl", "b = { $unclosed\n")[0].starts_with("de.ftl:"));
    }
}
