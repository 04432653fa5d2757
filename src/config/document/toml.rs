//! TOML as a tree.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};

use super::{Entry, Findings, Item, Key, Node, Place, Value, text::Lines};

/// Every syntax error lands in `findings`; then there is no tree.
pub fn parse(text: &str, findings: &mut Findings) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let place = |span: Range<usize>| lines.place(span.start);
        let span = table.span();
        return Some(Node::new(self::table(table.into_inner(), &place), place(span)));
    }
    let mut last = None;
    for error in errors {
        let place = lines.place(error.span().map_or(0, |span| span.start));
        // what follows on the same line is usually the same mistake again
        let line = match place {
            Place::Text { line, .. } => Some(line),
            Place::Variable(_) => None,
        };
        if line != last {
            let said = message(&error);
            let remedy = remedy(&said).to_owned();
            findings.push(Key::root(), place, format!("not TOML: {said}"), remedy);
        }
        last = line;
    }
    None
}

/// One value on its own, as an environment variable holds it.
pub fn value(text: &str, place: &Place) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    Some(convert(value, &|_| place.clone()).value)
}

fn message(error: &Error) -> String {
    error.message().lines().collect::<Vec<_>>().join(", ")
}

/// For the two that nearly everybody makes once.
fn remedy(said: &str) -> &'static str {
    if said.starts_with("duplicate key") {
        "TOML takes no key and no table twice: write what belongs to it where it stands first"
    } else if said.contains("missing escaped value") {
        "in double quotes a \\ begins an escape: write the text in single quotes"
    } else {
        ""
    }
}

fn convert(value: Spanned<DeValue<'_>>, place: &impl Fn(Range<usize>) -> Place) -> Node {
    let at = place(value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(integer) => {
            let digits = integer.as_str();
            match i64::from_str_radix(digits, integer.radix()) {
                Ok(value) => Value::Number(value.into()),
                Err(_) => Value::Text(digits.to_owned()),
            }
        }
        DeValue::Float(float) => {
            let written = float.as_str();
            written
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or_else(|| Value::Text(written.to_owned()), Value::Number)
        }
        DeValue::Datetime(datetime) => Value::Text(datetime.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| Item { index, node: convert(item, place) })
                .collect(),
        ),
        DeValue::Table(entries) => table(entries, place),
    };
    Node::new(value, at)
}

fn table(table: DeTable<'_>, place: &impl Fn(Range<usize>) -> Place) -> Value {
    Value::Table(
        table
            .into_iter()
            .map(|(name, value)| Entry {
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
        let key = Key::root().name("server").name("workers");
        assert_eq!(root.locate(&key).0, Place::Text { line: 2, column: 11 });
        assert_eq!(root.to_json(), serde_json::json!({"server": {"workers": 2}}));
    }

    #[test]
    fn a_table_written_twice_and_a_pattern_in_double_quotes_come_with_a_remedy() {
        for (text, remedy) in [
            ("[accounts]\na = 1\n[session]\n[accounts]\nb = 1\n", "where it stands first"),
            ("pattern = \"^\\d+$\"\n", "single quotes"),
        ] {
            let mut findings = Findings::new(Path::new("d.toml"));
            assert_eq!(parse(text, &mut findings), None);
            let told = findings.into_mistakes();
            assert!(told[0].to_string().contains(remedy), "{}", told[0]);
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
