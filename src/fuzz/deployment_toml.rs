//! `deployment.toml`.

use std::{collections::BTreeMap, path::Path};

use super::are_explained;
use crate::config::{
    document::{Findings, toml},
    effective::to_toml,
    load::{admin_listen, parse},
};

const MAX_BYTES: usize = 64 * 1024;

/// The input is a `deployment.toml`.
///
/// - A file that is refused is refused with a reason and a place.
/// - A document that is written again is read as the same document.
/// - The settings in effect, as `doorward check` shows them, are accepted and have the same effect.
pub fn deployment_toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.len() > MAX_BYTES {
        return;
    }
    let document = tree(text);
    if let Some(document) = &document {
        let written = ::toml::to_string(document);
        assert!(written.is_ok(), "{written:?}: {document}");
        let again = written.ok().and_then(|written| tree(&written));
        assert_eq!(again.as_ref(), Some(document), "written and read again");
    }
    let (file, environment) = (Path::new("/etc/doorward/deployment.toml"), BTreeMap::new());
    assert_eq!(admin_listen(text, file, &environment).is_ok(), document.is_some());
    match parse(text, file, &environment) {
        Err(mistakes) => are_explained(&mistakes, text),
        Ok(settings) => {
            assert!(document.is_some(), "settings of no document");
            let shown = to_toml(&settings);
            match parse(&shown, file, &environment) {
                Ok(again) => assert_eq!(to_toml(&again), shown, "shown and read again"),
                Err(mistakes) => unreachable!("{mistakes:?}\n{shown}"),
            }
        }
    }
}

fn tree(text: &str) -> Option<serde_json::Value> {
    toml::parse(text, &mut Findings::new(Path::new("deployment.toml"))).map(|root| root.to_json())
}
