//! Translates Java regular expressions into the syntax of our engine: the translation matches the same
//! texts, or the pattern is rejected with an error that names an alternative.

use super::pattern::InvalidJavaPattern;

const DOT: &str = r"[^\n\r\x{85}\x{2028}\x{2029}]";
const LINE_BREAK: &str = r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])";
const BLANKS: &str = r"\t \x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}";

pub(super) fn translate(pattern: &str) -> Result<String, InvalidJavaPattern> {
    let mut reader =
        JavaTranslator { chars: pattern.chars().collect(), at: 0, out: String::new(), dot_is_all: false };
    let mut open_groups: usize = 0;
    while let Some(c) = reader.next() {
        match c {
            '\\' => reader.escape(false)?,
            '[' => reader.class(0)?,
            '(' => {
                open_groups += 1;
                reader.group()?;
            }
            // it would close the group around the whole pattern, and a part of a password would be enough
            ')' => {
                let unmatched = || InvalidJavaPattern::Invalid("a ')' has no '('".to_owned());
                open_groups = open_groups.checked_sub(1).ok_or_else(unmatched)?;
                reader.out.push(')');
            }
            '{' => reader.repetition()?,
            '.' if !reader.dot_is_all => reader.emit(DOT),
            '$' if reader.peek() == Some('{') => return Err(reader.placeholder()),
            // unpaired, they are literals
            ']' | '}' => reader.literal(c),
            _ => reader.out.push(c),
        }
    }
    Ok(reader.out)
}

struct JavaTranslator {
    chars: Vec<char>,
    at: usize,
    out: String,
    dot_is_all: bool,
}

impl JavaTranslator {
    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn follows(&self, text: &str) -> bool {
        self.chars.get(self.at..).is_some_and(|rest| rest.iter().copied().take(text.len()).eq(text.chars()))
    }

    fn take_while(&mut self, allowed: impl Fn(char) -> bool, most: usize) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| allowed(*c) && taken.chars().count() < most) {
            taken.push(c);
            self.at += 1;
        }
        taken
    }

    fn emit(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref());
    }

    /// Emits a literal character.
    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() && !matches!(c, '<' | '>' | '_') {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    fn code_point(&mut self, number: u32) -> Result<(), InvalidJavaPattern> {
        if char::from_u32(number).is_none() {
            return Err(self.unsupported("half of a surrogate pair", r"write the character itself, or \x{…}"));
        }
        self.emit(format!(r"\x{{{number:X}}}"));
        Ok(())
    }

    fn unsupported(&self, what: impl Into<String>, instead: &'static str) -> InvalidJavaPattern {
        InvalidJavaPattern::Unsupported { what: what.into(), at: self.at, instead }
    }

    fn placeholder(&self) -> InvalidJavaPattern {
        let rest = self.chars.iter().skip(self.at.saturating_sub(1));
        let mut name: String = rest.take_while(|c| **c != '}').collect();
        name.push('}');
        InvalidJavaPattern::Placeholder(name)
    }

    /// Behind `(`.
    fn group(&mut self) -> Result<(), InvalidJavaPattern> {
        self.out.push('(');
        if self.peek() != Some('?') {
            return Ok(());
        }
        for opening in ["?:", "?=", "?!", "?<=", "?<!", "?>"] {
            if self.follows(opening) {
                self.at += opening.len();
                self.emit(opening);
                return Ok(());
            }
        }
        self.at += 1;
        if self.peek() == Some('<') {
            self.out.push('?');
            return Ok(());
        }
        let flags = self.take_while(|c| c.is_ascii_alphabetic() || c == '-', 16);
        if flags.is_empty() || !matches!(self.peek(), Some(':' | ')')) {
            return Err(self.unsupported("this kind of group", "Java has (?: (?= (?! (?<= (?<! (?> (?<name>"));
        }
        if let Some(flag) = flags.chars().find(|flag| !matches!(flag, 'i' | 'm' | 's' | 'u' | '-')) {
            return Err(self.unsupported(format!("the flag {flag}"), "only i, m, s and u are"));
        }
        self.dot_is_all |= flags.split('-').next().is_some_and(|on| on.contains('s'));
        // letters have upper and lower case in every script here, with or without u
        let kept: String = flags.chars().filter(|flag| *flag != 'u').collect();
        self.out.push('?');
        self.emit(kept.trim_end_matches('-'));
        if kept.trim_end_matches('-').is_empty() && self.peek() == Some(')') {
            // (?u) alone: an empty group that changes nothing
            self.out.push(':');
        }
        Ok(())
    }

    /// Behind `{`.
    fn repetition(&mut self) -> Result<(), InvalidJavaPattern> {
        let escaped = self.out.ends_with(r"\(") || self.out.ends_with(r"\|");
        let nothing_before = self.out.is_empty() || (self.out.ends_with(['(', '|']) && !escaped);
        let numbers = self.take_while(|c| c.is_ascii_digit() || c == ',', 16);
        let closed = self.next() == Some('}');
        if nothing_before
            || !closed
            || !numbers.starts_with(|c: char| c.is_ascii_digit())
            || numbers.matches(',').count() > 1
        {
            return Err(self.unsupported(
                "a '{' that begins no repetition such as {2,5}",
                r"write \{ for the brace itself",
            ));
        }
        self.emit(format!("{{{numbers}}}"));
        Ok(())
    }

    /// Behind `[`.
    fn class(&mut self, depth: usize) -> Result<(), InvalidJavaPattern> {
        // in Java this is a class of these characters, which is never intended
        if self.is_posix_class() {
            return Err(self.unsupported("a class such as [:alpha:]", r"write \p{Alpha}"));
        }
        if depth > 8 {
            return Err(self.unsupported("a class so deep in others", "write it flat"));
        }
        self.out.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        // whether the previous element can begin a range
        let mut single = false;
        loop {
            let Some(c) = self.next() else {
                return Err(InvalidJavaPattern::Invalid("a '[' has no ']'".to_owned()));
            };
            match c {
                ']' if !first => break,
                '[' => {
                    self.class(depth + 1)?;
                    single = false;
                }
                '&' if self.peek() == Some('&') => {
                    self.at += 1;
                    self.emit("&&");
                    single = false;
                }
                '-' if single && !matches!(self.peek(), Some(']' | '[') | None) && !self.follows("&&") => {
                    self.out.push('-');
                    single = false;
                    first = false;
                    continue;
                }
                '\\' => {
                    let before = self.out.len();
                    self.escape(true)?;
                    single = !self.out.get(before..).is_some_and(|made| made.starts_with('['));
                }
                c => {
                    self.literal(c);
                    single = true;
                }
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    fn is_posix_class(&self) -> bool {
        let mut rest = self.chars.iter().skip(self.at);
        rest.next() == Some(&':')
            && rest.find(|c| !c.is_ascii_alphabetic() && **c != '^') == Some(&':')
            && rest.next() == Some(&']')
    }

    /// Behind `\`.
    fn escape(&mut self, in_class: bool) -> Result<(), InvalidJavaPattern> {
        let Some(c) = self.next() else {
            return Err(InvalidJavaPattern::Invalid(r"nothing follows the last \".to_owned()));
        };
        match c {
            'd' => self.emit("[0-9]"),
            'D' => self.emit("[^0-9]"),
            'w' => self.emit("[a-zA-Z0-9_]"),
            'W' => self.emit("[^a-zA-Z0-9_]"),
            's' => self.emit(r"[ \t\n\x0B\f\r]"),
            'S' => self.emit(r"[^ \t\n\x0B\f\r]"),
            'h' => self.emit(format!("[{BLANKS}]")),
            'H' => self.emit(format!("[^{BLANKS}]")),
            'v' => self.emit(r"[\n\x0B\f\r\x{85}\x{2028}\x{2029}]"),
            'V' => self.emit(r"[^\n\x0B\f\r\x{85}\x{2028}\x{2029}]"),
            'p' | 'P' => self.property(c == 'P')?,
            't' | 'n' | 'r' | 'f' => self.out.extend(['\\', c]),
            'a' => self.code_point(7)?,
            'e' => self.code_point(0x1b)?,
            'x' | 'u' | '0' => self.number(c)?,
            'Q' => self.quoted(),
            'A' | 'z' if !in_class => self.out.extend(['\\', c]),
            'b' | 'B' if !in_class && self.peek() != Some('{') => self.out.extend(['\\', c]),
            'Z' if !in_class => self.emit(format!(r"(?={LINE_BREAK}?\z)")),
            'R' if !in_class => self.emit(LINE_BREAK),
            'k' if !in_class => self.emit(r"\k"),
            '1'..='9' if !in_class && !self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                self.out.extend(['\\', c]);
            }
            '1'..='9' => {
                return Err(
                    self.unsupported("a reference with two digits", "give the group a name: (?<name>…)")
                );
            }
            _ if c.is_ascii_alphabetic() => {
                return Err(self.unsupported(format!(r"\{c}"), "write the characters it stands for"));
            }
            _ => self.literal(c),
        }
        Ok(())
    }

    /// `\xhh`, `\x{h…}`, `\uhhhh`, and in octal `\0n`, `\0nn`, `\0mnn`.
    fn number(&mut self, kind: char) -> Result<(), InvalidJavaPattern> {
        let hex = |c: char| c.is_ascii_hexdigit();
        let (digits, base) = match kind {
            'x' if self.peek() == Some('{') => {
                self.at += 1;
                let digits = self.take_while(hex, 6);
                if self.next() != Some('}') {
                    return Err(InvalidJavaPattern::Invalid(r"\x{ has no }".to_owned()));
                }
                (digits, 16)
            }
            'x' => (Some(self.take_while(hex, 2)).filter(|d| d.len() == 2).unwrap_or_default(), 16),
            'u' => (Some(self.take_while(hex, 4)).filter(|d| d.len() == 4).unwrap_or_default(), 16),
            _ => {
                let most = if matches!(self.peek(), Some('0'..='3')) { 3 } else { 2 };
                (self.take_while(|c| matches!(c, '0'..='7'), most), 8)
            }
        };
        let number = u32::from_str_radix(&digits, base)
            .map_err(|_| InvalidJavaPattern::Invalid(format!(r"\{kind} has too few digits")))?;
        self.code_point(number)
    }

    /// `\Q…\E`: a literal text.
    fn quoted(&mut self) {
        while let Some(c) = self.peek() {
            if self.follows(r"\E") {
                self.at += 2;
                return;
            }
            self.literal(c);
            self.at += 1;
        }
    }

    /// `\p{…}`, `\pL`. In Java, POSIX names are limited to ASCII; in other engines they cover Unicode.
    fn property(&mut self, negated: bool) -> Result<(), InvalidJavaPattern> {
        let name = match self.next() {
            Some('{') => {
                let name = self.take_while(|c| c != '}', 64);
                self.at += 1;
                name
            }
            Some(c) => c.to_string(),
            None => return Err(InvalidJavaPattern::Invalid(r"\p has no name".to_owned())),
        };
        let ascii = match name.as_str() {
            "Lower" => "a-z",
            "Upper" => "A-Z",
            "ASCII" => r"\x00-\x7F",
            "Alpha" => "a-zA-Z",
            "Digit" => "0-9",
            "Alnum" => "a-zA-Z0-9",
            "Punct" => r"!-/:-@\[-`{-~",
            "Graph" => "!-~",
            "Print" => " -~",
            "Blank" => r" \t",
            "Cntrl" => r"\x00-\x1F\x7F",
            "XDigit" => "0-9a-fA-F",
            "Space" => r" \t\n\x0B\f\r",
            _ => "",
        };
        if !ascii.is_empty() {
            self.emit(if negated { "[^" } else { "[" });
            self.emit(ascii);
            self.out.push(']');
            return Ok(());
        }
        let unicode = match name.as_str() {
            "javaLowerCase" | "IsLowercase" => "Lowercase",
            "javaUpperCase" | "IsUppercase" => "Uppercase",
            "javaAlphabetic" | "IsAlphabetic" => "Alphabetic",
            "javaLetter" | "IsLetter" => "L",
            "javaDigit" | "IsDigit" => "Nd",
            "IsPunctuation" => "P",
            "IsControl" => "Cc",
            "IsTitlecase" | "javaTitleCase" => "Lt",
            "IsWhite_Space" => "White_Space",
            other
                if is_category(other)
                    || ["sc=", "script=", "gc="].iter().any(|key| other.starts_with(key)) =>
            {
                other
            }
            // a script: IsLatin, IsGreek
            other if other.starts_with("Is") && other.len() > 2 => other.get(2..).unwrap_or_default(),
            _ => {
                return Err(self.unsupported(
                    format!(r"\p{{{name}}}"),
                    r"write a category such as \p{L}, a script such as \p{IsLatin}, or the characters themselves",
                ));
            }
        };
        self.emit(format!("[{}{{{unicode}}}]", if negated { r"\P" } else { r"\p" }));
        Ok(())
    }
}

/// A general category: `L`, `Lu`, `Nd` …
fn is_category(name: &str) -> bool {
    let mut letters = name.chars();
    matches!(letters.next(), Some('C' | 'L' | 'M' | 'N' | 'P' | 'S' | 'Z'))
        && letters.next().is_none_or(|c| c.is_ascii_lowercase())
        && letters.next().is_none()
}
