//! JSON as a tree: RFC 8259, with places, repeated names kept, and bounded depth.

use super::{DocumentNode, ListItem, NodeValue, SourcePosition, TableEntry, text::LineIndex};

/// Deeper than any configuration; keeps the reader's own stack small.
pub const MAX_DEPTH: usize = 64;

/// In bytes. Every mistake below a key repeats its name, so its length is bounded.
const MAX_NAME_BYTES: usize = 1000;

/// Where the text stops being JSON, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    pub place: SourcePosition,
    pub message: &'static str,
}

pub fn parse(text: &str) -> Result<DocumentNode, Error> {
    // a byte-order mark is no part of the text; editors on Windows leave one
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = LineIndex::of(text);
    let mut reader = JsonParser { text, position: 0, lines: &lines };
    let read = reader.value(0).and_then(|node| {
        reader.skip_whitespace();
        if reader.peek().is_none() { Ok(node) } else { Err("something follows the end of the document") }
    });
    read.map_err(|message| Error { place: lines.position(reader.position), message })
}

struct JsonParser<'a> {
    text: &'a str,
    position: usize,
    lines: &'a LineIndex<'a>,
}

type ParseResult<T> = Result<T, &'static str>;

impl JsonParser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn value(&mut self, depth: usize) -> ParseResult<DocumentNode> {
        self.skip_whitespace();
        let place = self.lines.position(self.position);
        let value = match self.peek() {
            None => return Err("the text ends where a value should be"),
            Some(b'{') => self.table(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => NodeValue::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.keyword("true", NodeValue::Bool(true))?,
            Some(b'f') => self.keyword("false", NodeValue::Bool(false))?,
            Some(b'n') => self.keyword("null", NodeValue::Null)?,
            Some(_) => return Err("a value should be here"),
        };
        Ok(DocumentNode::new(value, place))
    }

    fn keyword(&mut self, word: &str, value: NodeValue) -> ParseResult<NodeValue> {
        if self.text.get(self.position..).is_some_and(|rest| rest.starts_with(word)) {
            self.position += word.len();
            Ok(value)
        } else {
            Err("only true, false and null are words")
        }
    }

    fn number(&mut self) -> ParseResult<NodeValue> {
        let start = self.position;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.position += 1;
        }
        let number = self.text.get(start..self.position).and_then(|text| serde_json::from_str(text).ok());
        number.map(NodeValue::Number).ok_or("this is not a number")
    }

    fn string(&mut self) -> ParseResult<String> {
        let start = self.position;
        self.position += 1;
        loop {
            match self.peek() {
                None => return Err("the text ends inside a string"),
                Some(b'"') => break,
                Some(b'\\') => self.position += 2,
                Some(_) => self.position += 1,
            }
        }
        self.position += 1;
        let string = self.text.get(start..self.position).and_then(|text| serde_json::from_str(text).ok());
        string.ok_or("this string has a control character or a bad escape in it")
    }

    fn list(&mut self, depth: usize) -> ParseResult<NodeValue> {
        let depth = check_depth(depth)?;
        self.position += 1;
        let mut items = Vec::new();
        self.skip_whitespace();
        if self.eat(b']') {
            return Ok(NodeValue::List(items));
        }
        loop {
            items.push(ListItem { index: items.len(), node: self.value(depth)? });
            self.skip_whitespace();
            if self.eat(b']') {
                return Ok(NodeValue::List(items));
            }
            if !self.eat(b',') {
                return Err("`,` or `]` should be here");
            }
        }
    }

    fn table(&mut self, depth: usize) -> ParseResult<NodeValue> {
        let depth = check_depth(depth)?;
        self.position += 1;
        let mut entries = Vec::new();
        self.skip_whitespace();
        if self.eat(b'}') {
            return Ok(NodeValue::Table(entries));
        }
        loop {
            self.skip_whitespace();
            if self.peek() != Some(b'"') {
                return Err("a key in double quotes should be here");
            }
            let place = self.lines.position(self.position);
            let name = self.string()?;
            if name.len() > MAX_NAME_BYTES {
                return Err("a key with a name of more than 1,000 bytes");
            }
            self.skip_whitespace();
            if !self.eat(b':') {
                return Err("`:` should be here");
            }
            entries.push(TableEntry { name, place, node: self.value(depth)? });
            self.skip_whitespace();
            if self.eat(b'}') {
                return Ok(NodeValue::Table(entries));
            }
            if !self.eat(b',') {
                return Err("`,` or `}` should be here");
            }
        }
    }
}

fn check_depth(depth: usize) -> ParseResult<usize> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err("nested too deeply") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_have_a_place() {
        for (text, line, column) in [
            ("", 1, 1),
            ("{\n  \"a\": tru\n}", 2, 8),
            ("{\"a\": 1,}", 1, 9),
            ("{'a': 1}", 1, 2),
            ("[1 2]", 1, 4),
            ("{} x", 1, 4),
            ("{\"a\" 1}", 1, 6),
        ] {
            assert_eq!(parse(text).unwrap_err().place, SourcePosition::Text { line, column }, "{text:?}");
        }
    }

    #[test]
    fn attack_deeply_nested_json_is_rejected() {
        for open in ["[", "{\"a\":"] {
            assert_eq!(parse(&open.repeat(500_000)).unwrap_err().message, "nested too deeply");
        }
    }

    /// Attack: a long name with many values below it, each of which is reported with its whole name.
    #[test]
    fn attack_very_long_member_name() {
        let named = |length: usize| format!("{{\"{}\": 1}}", "k".repeat(length));
        assert!(parse(&named(MAX_NAME_BYTES)).is_ok());
        let refused = parse(&named(MAX_NAME_BYTES + 1)).unwrap_err();
        assert_eq!(refused.message, "a key with a name of more than 1,000 bytes");
    }

    #[test]
    fn repeated_names_are_kept() {
        assert_eq!(parse("{\"a\":1,\"a\":2}").unwrap().entries().len(), 2);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(".{0,4}", inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(value in json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            prop_assert_eq!(parse(&text.unwrap()).unwrap().to_json(), value);
        }

        #[test]
        fn accepts_what_serde_json_accepts_and_nothing_else(text in r#"[\[\]{}:,"\\ 0-9.eEu+tfnaul-]{0,12}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            prop_assert_eq!(parse(&text).is_ok(), theirs.is_ok(), "{:?} {:?}", text, theirs);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
