//! `doorward check` of the operator's templates.

use std::{error::Error as _, fs, io::ErrorKind, path::Path};

use minijinja::{Environment, Error};

use super::EMBEDDED_TEMPLATES;
use crate::config::{Mistake, document::nearest::nearest};

const REMEDY: &str = "the built-in one is shown; compare it with src/web/templates";

/// Templates that cannot be read, and files that replace none. The folder need not exist.
pub fn mistakes(folder: &Path) -> Vec<Mistake> {
    let mut found = Vec::new();
    for (name, _) in EMBEDDED_TEMPLATES {
        let file = folder.join(name);
        match fs::read_to_string(&file) {
            Ok(source) => {
                // as it is when it replaces ours
                let mut environment = Environment::new();
                if let Err(error) = environment.add_template_owned(name, source) {
                    found.push(mistake(folder, &error));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                found.push(Mistake::whole(&file, error.to_string(), "make it readable, or remove it"));
            }
        }
    }
    let names = || EMBEDDED_TEMPLATES.iter().map(|(name, _)| *name);
    for file in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        if file.extension().is_none_or(|end| end != "html") || names().any(|known| known == name) {
            continue;
        }
        // all names are alike in their last five letters
        let stem = |name: &'static str| name.trim_end_matches(".html");
        let remedy = nearest(name.trim_end_matches(".html"), names().map(stem)).map_or_else(
            || format!("there are {}", names().collect::<Vec<_>>().join(", ")),
            |known| format!("did you mean {known}.html?"),
        );
        let message = "no page has a template of this name, so this file has no effect";
        found.push(Mistake::whole(&file, message, remedy));
    }
    found
}

/// An error of the operator's templates in `folder`, at its innermost place.
pub fn mistake(folder: &Path, error: &Error) -> Mistake {
    let mut inner = error;
    while let Some(cause) = inner.source().and_then(|cause| cause.downcast_ref::<Error>()) {
        inner = cause;
    }
    let file = inner.name().or(error.name()).map_or_else(|| folder.to_owned(), |name| folder.join(name));
    let line = inner.line();
    let message = inner
        .detail()
        .map_or_else(|| inner.kind().to_string(), |detail| format!("{}: {detail}", inner.kind()));
    Mistake { file, line, column: line.map(|_| 1), key: String::new(), message, remedy: REMEDY.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::test_overrides;

    fn message(file: &str, text: &str) -> Vec<String> {
        test_overrides::mistakes_in(mistakes, file, text)
    }

    #[test]
    fn rejects_invalid_templates_and_unknown_names() {
        assert_eq!(mistakes(Path::new("/nowhere/templates")), []);
        for (file, text, expected) in [
            ("mark.html", "fine {{ name }}", ""),
            ("mark.html", "fine\n{% if %}", "mark.html:2:1: syntax error: "),
            (
                "signin.html",
                "fine",
                "signin.html: no page has a template of this name, so this file has no effect (did you mean sign-in.html?)",
            ),
            ("frontispiece.html", "fine", "(there are account.html, alert.html, "),
            ("error.html", "fine", "(there are account.html, alert.html, "),
            ("mark.html~", "{% if %}", ""),
        ] {
            let all = message(file, text);
            assert_eq!(all.is_empty(), expected.is_empty(), "{file}: {all:?}");
            assert!(all.iter().all(|message| message.contains(expected)), "{file}: {all:?}");
        }
    }
}
