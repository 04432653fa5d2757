//! A key that is right, in the wrong place: in TOML a line below a table's header belongs to that table, so a line
//! appended to the end of the file lands in whichever table is last.

use crate::config::{mistake::Mistake, schema};

/// Adds to each unknown key the tables that have such a key.
pub fn add_placement_hints(mistakes: &mut [Mistake]) {
    let mut known: Option<Vec<String>> = None;
    for mistake in mistakes {
        let Some((under, name)) = unknown_key(mistake) else { continue };
        let known = known.get_or_insert_with(|| schema::key_paths(&schema::deployment()));
        if let Some(remedy) = remedy(under, name, known) {
            mistake.remedy = remedy;
        }
    }
}

/// The table and the key's name, where the file (not a variable) has a key that its table does not know.
fn unknown_key(mistake: &Mistake) -> Option<(&str, &str)> {
    mistake.line?;
    let (under, name) = mistake.key.rsplit_once('.')?;
    (mistake.message == format!("there is no key `{name}` here")).then_some((under, name))
}

fn remedy(under: &str, name: &str, known: &[String]) -> Option<String> {
    let stands = format!("this line stands below the header {}", header(under));
    let section = |path: &&String| path.trim_end_matches("[]") == name;
    if known.iter().any(|path| section(&path)) {
        return Some(format!("{stands}; did you mean to put it above the first header?"));
    }
    let mut tables: Vec<String> = known
        .iter()
        .filter_map(|path| path.rsplit_once('.'))
        .filter(|(_, last)| *last == name)
        .map(|(table, _)| header(table))
        .collect();
    tables.dedup();
    let (first, more) = tables.split_first()?;
    let others = if more.is_empty() { String::new() } else { format!(" or {}", more.join(" or ")) };
    Some(format!("{stands}; did you mean to put it above, under {first}{others}?"))
}

/// `portal.upstream[0]` is what stands below `[[portal.upstream]]`, `issuer[].introspection` below `[issuer.introspection]`.
fn header(table: &str) -> String {
    let name: String =
        table.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect();
    if table.ends_with(']') { format!("[[{name}]]") } else { format!("[{name}]") }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use crate::config::load::parse;

    #[test]
    fn misplaced_key_names_its_table() {
        for (appended, expected) in [
            (
                "profile = \"generic\"",
                "this line stands below the header [[portal.upstream]]; did you mean to put it above, under [portal]?",
            ),
            (
                "[limits]\nprofile = \"generic\"",
                "this line stands below the header [limits]; did you mean to put it above, under [portal]?",
            ),
            (
                "[limits]\nclient_id = \"x\"",
                "this line stands below the header [limits]; did you mean to put it above, under [issuer.introspection]?",
            ),
            (
                "[limits]\ntrusted_proxies = []",
                "this line stands below the header [limits]; did you mean to put it above, under [server]?",
            ),
            (
                "[limits]\napim.devportal.enable_anonymous_mode = false",
                "this line stands below the header [limits]; did you mean to put it above the first header?",
            ),
            // a slip of the pen is still only that
            ("[limits]\nmax_heders = 100", "did you mean `max_headers`?"),
        ] {
            let text = format!("[[portal.upstream]]\nurl = \"http://127.0.0.1:1\"\n{appended}\n");
            let mistakes = parse(&text, Path::new("d.toml"), &BTreeMap::new()).unwrap_err();
            let remedies: Vec<&str> = mistakes.iter().map(|mistake| mistake.remedy.as_str()).collect();
            assert_eq!(remedies, [expected], "{appended}");
        }
    }
}
