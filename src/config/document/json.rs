//! JSON as a tree: RFC 8259, with places, repeated names kept, and bounded depth.

use super::{Entry, Item, Node, Place, Value, text::Lines};

/// Deeper than any configuration; keeps the reader's own stack small.
pub const MAX_DEPTH: usize = 64;

/// In bytes. No key has a longer name, and each value below one may be told with it.
const LONGEST_NAME: usize = 1000;

/// Where the text stops being JSON, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    pub place: Place,
    pub message: &'static str,
}

pub fn parse(text: &str) -> Result<Node, Error> {
    // a byte-order mark is no part of the text; editors on Windows leave one
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(text);
    let mut reader = Reader { text, at: 0, lines: &lines };
    let read = reader.value(0).and_then(|node| {
        reader.blanks();
        if reader.peek().is_none() { Ok(node) } else { Err("something follows the end of the document") }
    });
    read.map_err(|message| Error { place: lines.place(reader.at), message })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    lines: &'a Lines<'a>,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        self.blanks();
        let place = self.lines.place(self.at);
        let value = match self.peek() {
            None => return Err("the text ends where a value should be"),
            Some(b'{') => self.table(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(_) => return Err("a value should be here"),
        };
        Ok(Node::new(value, place))
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(value)
        } else {
            Err("only true, false and null are words")
        }
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let number = self.text.get(start..self.at).and_then(|text| serde_json::from_str(text).ok());
        number.map(Value::Number).ok_or("this is not a number")
    }

    fn string(&mut self) -> Read<String> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err("the text ends inside a string"),
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let string = self.text.get(start..self.at).and_then(|text| serde_json::from_str(text).ok());
        string.ok_or("this string has a control character or a bad escape in it")
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        let depth = deeper(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.eat(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(Item { index: items.len(), node: self.value(depth)? });
            self.blanks();
            if self.eat(b']') {
                return Ok(Value::List(items));
            }
            if !self.eat(b',') {
                return Err("`,` or `]` should be here");
            }
        }
    }

    fn table(&mut self, depth: usize) -> Read<Value> {
        let depth = deeper(depth)?;
        self.at += 1;
        let mut entries = Vec::new();
        self.blanks();
        if self.eat(b'}') {
            return Ok(Value::Table(entries));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err("a key in double quotes should be here");
            }
            let place = self.lines.place(self.at);
            let name = self.string()?;
            if name.len() > LONGEST_NAME {
                return Err("a key with a name of more than 1,000 bytes");
            }
            self.blanks();
            if !self.eat(b':') {
                return Err("`:` should be here");
            }
            entries.push(Entry { name, place, node: self.value(depth)? });
            self.blanks();
            if self.eat(b'}') {
                return Ok(Value::Table(entries));
            }
            if !self.eat(b',') {
                return Err("`,` or `}` should be here");
            }
        }
    }
}

fn deeper(depth: usize) -> Read<usize> {
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
            assert_eq!(parse(text).unwrap_err().place, Place::Text { line, column }, "{text:?}");
        }
    }

    #[test]
    fn a_nesting_bomb_is_refused_without_a_stack_overflow() {
        for open in ["[", "{\"a\":"] {
            assert_eq!(parse(&open.repeat(500_000)).unwrap_err().message, "nested too deeply");
        }
    }

    /// Attack: a long name with many values below it, each of which is looked at under its whole name.
    #[test]
    fn attack_a_name_as_long_as_a_book() {
        let named = |length: usize| format!("{{\"{}\": 1}}", "k".repeat(length));
        assert!(parse(&named(LONGEST_NAME)).is_ok());
        let refused = parse(&named(LONGEST_NAME + 1)).unwrap_err();
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
