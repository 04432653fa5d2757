//! TOML as a tree.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};

use super::{
    DocumentNode, Findings, KeyPath, ListItem, NodeValue, SourcePosition, TableEntry, text::LineIndex,
};

/// Every syntax error lands in `findings`; then there is no tree.
pub fn parse(text: &str, findings: &mut Findings) -> Option<DocumentNode> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = LineIndex::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let place = |span: Range<usize>| lines.position(span.start);
        let span = table.span();
        return Some(DocumentNode::new(self::table(table.into_inner(), &place), place(span)));
    }
    let mut last = None;
    for error in errors {
        let place = lines.position(error.span().map_or(0, |span| span.start));
        // what follows on the same line is usually the same mistake again
        let line = match place {
            SourcePosition::Text { line, .. } => Some(line),
            SourcePosition::Variable(_) => None,
        };
        if line != last {
            let error_message = message(&error);
            let remedy = remedy(&error_message).to_owned();
            findings.push(KeyPath::root(), place, format!("not TOML: {error_message}"), remedy);
        }
        last = line;
    }
    None
}

/// One value on its own, as an environment variable holds it.
pub fn value(text: &str, place: &SourcePosition) -> Option<NodeValue> {
    let value = DeValue::parse(text).ok()?;
    Some(convert(value, &|_| place.clone()).value)
}

fn message(error: &Error) -> String {
    error.message().lines().collect::<Vec<_>>().join(", ")
}

/// Remedies for the two most common syntax errors.
fn remedy(error_message: &str) -> &'static str {
    if error_message.starts_with("duplicate key") {
        "TOML takes no key and no table twice: write what belongs to it where it stands first"
    } else if error_message.contains("missing escaped value") {
        "in double quotes a \\ begins an escape: write the text in single quotes"
    } else {
        ""
    }
}

fn convert(value: Spanned<DeValue<'_>>, place: &impl Fn(Range<usize>) -> SourcePosition) -> DocumentNode {
    let at = place(value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => NodeValue::Text(text.into_owned()),
        DeValue::Boolean(value) => NodeValue::Bool(value),
        DeValue::Integer(integer) => {
            let digits = integer.as_str();
            match i64::from_str_radix(digits, integer.radix()) {
                Ok(value) => NodeValue::Number(value.into()),
                Err(_) => NodeValue::Text(digits.to_owned()),
            }
        }
        DeValue::Float(float) => {
            let written = float.as_str();
            written
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or_else(|| NodeValue::Text(written.to_owned()), NodeValue::Number)
        }
        DeValue::Datetime(datetime) => NodeValue::Text(datetime.to_string()),
        DeValue::Array(items) => NodeValue::List(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| ListItem { index, node: convert(item, place) })
                .collect(),
        ),
        DeValue::Table(entries) => table(entries, place),
    };
    DocumentNode::new(value, at)
}

fn table(table: DeTable<'_>, place: &impl Fn(Range<usize>) -> SourcePosition) -> NodeValue {
    NodeValue::Table(
        table
            .into_iter()
            .map(|(name, value)| TableEntry {
                place: place(name.span()),
                name: name.into_inner().into_owned(),
                node: convert(value, place),
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn values_know_their_place() {
        let mut findings = Findings::new(Path::new("d.toml"));
        let root = parse("\u{feff}[server]\nworkers = 2\n", &mut findings).unwrap();
        let key = KeyPath::root().name("server").name("workers");
        assert_eq!(root.locate(&key).0, SourcePosition::Text { line: 2, column: 11 });
        assert_eq!(root.to_json(), serde_json::json!({"server": {"workers": 2}}));
    }

    #[test]
    fn duplicate_table_and_bad_escape_have_a_remedy() {
        for (text, remedy) in [
            ("[accounts]\na = 1\n[session]\n[accounts]\nb = 1\n", "where it stands first"),
            ("pattern = \"^\\d+$\"\n", "single quotes"),
        ] {
            let mut findings = Findings::new(Path::new("d.toml"));
            assert_eq!(parse(text, &mut findings), None);
            let messages = findings.into_mistakes();
            assert!(messages[0].to_string().contains(remedy), "{}", messages[0]);
        }
    }

    #[test]
    fn all_syntax_errors_at_once() {
        let mut findings = Findings::new(Path::new("d.toml"));
        assert_eq!(parse("a = \nb = 1\nb = 2\nc = [1\n", &mut findings), None);
        let lines: Vec<_> = findings.into_mistakes().iter().map(|m| m.line.unwrap()).collect();
        assert!(lines.len() >= 2 && lines.starts_with(&[1]), "{lines:?}");
    }
}
