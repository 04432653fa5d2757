//! All paths that lenient programs may read from one path. A rule that restricts a path applies to every
//! reading of it.

use std::fmt::Write as _;

use unicode_normalization::{UnicodeNormalization as _, is_nfkc};

/// Each applies one normalisation to a path; `None` if that changes nothing. Programs combine them in any order.
const STEPS: [fn(&str) -> Option<String>; 8] = [
    decoded,
    compatible,
    with_slashes,
    without_parameters,
    without_query,
    trimmed,
    without_empty_segments,
    without_dots,
];

/// Limits: a path with more readings, or a longer path, is rejected as ambiguous.
const MAX_READINGS: usize = 32;
const MAX_BYTES: usize = 2048;

/// Whether `path` may have other readings. In a path in normal form, every other reading needs an encoded
/// byte or a dot at the end of a segment.
pub fn may_have(path: &str) -> bool {
    memchr::memchr2(b'%', b'.', path.as_bytes())
        .is_some_and(|_| path.contains('%') || path.contains("./") || path.ends_with('.'))
}

/// All readings but the path itself. `None`: too many.
pub fn of(path: &str) -> Option<Vec<String>> {
    if path.len() > MAX_BYTES {
        return None;
    }
    let mut found: Vec<String> = Vec::new();
    let mut current = path.to_owned();
    for next in 0.. {
        for step in STEPS {
            let Some(reading) = step(&current) else { continue };
            if reading == path || found.contains(&reading) {
                continue;
            }
            if found.len() == MAX_READINGS {
                return None;
            }
            found.push(reading);
        }
        let Some(reading) = found.get(next) else { break };
        current.clone_from(reading);
    }
    Some(found)
}

/// A path with all its readings.
pub struct Readings<'p> {
    path: &'p str,
    /// `None`: too many.
    others: Option<Vec<String>>,
}

impl<'p> Readings<'p> {
    pub fn of(path: &'p str) -> Self {
        let others = if may_have(path) { of(path) } else { Some(Vec::new()) };
        Self { path, others }
    }

    /// Whether one of them `matches`, or there are too many to compare.
    pub fn any(&self, matches: impl Fn(&str) -> bool) -> bool {
        matches(self.path)
            || self.others.as_deref().is_none_or(|others| others.iter().any(|reading| matches(reading)))
    }
}

/// Decodes once: `%2e`, `%u002e` (IIS), and overlong UTF-8 such as `%c0%ae`.
fn decoded(path: &str) -> Option<String> {
    if !path.contains('%') {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let unicode = after.get(..5).and_then(|code| code.strip_prefix(['u', 'U'])).and_then(utf16_unit);
        if let Some(letter) = unicode {
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            rest = after.get(5..).unwrap_or_default();
        } else if let Some(byte) = after.get(..2).and_then(hexadecimal) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(b'%');
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    changed(path, text(&bytes))
}

fn utf16_unit(digits: &str) -> Option<char> {
    let all_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all_hexadecimal.then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)).flatten()
}

fn hexadecimal(digits: &str) -> Option<u8> {
    // `from_str_radix` also takes a sign
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

/// UTF-8 as a lenient decoder reads it: an overlong form is the character it encodes.
fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = match *rest {
            [first @ 0xc0..=0xc1, second @ 0x80..=0xbf, ref after @ ..] => {
                out.push(char::from(((first & 1) << 6) | (second & 0x3f)));
                after
            }
            [0xe0, second @ 0x80..=0x81, third @ 0x80..=0xbf, ref after @ ..]
            | [0xf0, 0x80, second @ 0x80..=0x81, third @ 0x80..=0xbf, ref after @ ..] => {
                out.push(char::from(((second & 1) << 6) | (third & 0x3f)));
                after
            }
            _ => {
                let overlong = |byte: &u8| matches!(byte, 0xc0 | 0xc1 | 0xe0 | 0xf0);
                // at least one byte, so that a lead byte without a valid overlong form is passed over
                let end = rest.iter().skip(1).position(overlong).map_or(rest.len(), |at| at + 1);
                let (plain, after) = rest.split_at(end);
                push_encoded(&mut out, plain);
                after
            }
        };
    }
    out
}

/// Appends UTF-8 as it is, and other bytes encoded: a program that decodes bytes twice may complete a character with them.
fn push_encoded(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // writing to a `String` does not fail
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Fullwidth letters, dots and slashes, and other characters that become ASCII in NFKC, in a case mapping or in a code page.
fn compatible(path: &str) -> Option<String> {
    if path.is_ascii() {
        return None;
    }
    let ascii = |letter| match letter {
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
        '\u{2216}' | '\u{29f5}' => '\\',
        'ı' | 'İ' => 'i',
        other => other,
    };
    let normal: String = if is_nfkc(path) { path.to_owned() } else { path.nfkc().collect() };
    changed(path, normal.chars().map(ascii).collect())
}

fn with_slashes(path: &str) -> Option<String> {
    path.contains('\\').then(|| path.replace('\\', "/"))
}

/// `/a;x=1/b` as servlet containers read it.
fn without_parameters(path: &str) -> Option<String> {
    path.contains(';').then(|| by_segment(path, |segment| segment.split(';').next().unwrap_or_default()))
}

/// A decoded `?`, `#` or NUL ends the path: it begins a query or a fragment, or ends a C string.
fn without_query(path: &str) -> Option<String> {
    let (before, _) = path.split_once(['?', '#', '\0'])?;
    Some(before.to_owned())
}

/// Removes blanks around segments and dots at their end, as Windows does in file names.
fn trimmed(path: &str) -> Option<String> {
    let blank = |letter: char| letter.is_whitespace() || letter.is_control();
    let trimmed = by_segment(path, |segment| {
        let segment = segment.trim_matches(blank);
        let name = segment.trim_end_matches(|letter| letter == '.' || blank(letter));
        if name.is_empty() { segment } else { name }
    });
    changed(path, trimmed)
}

fn without_empty_segments(path: &str) -> Option<String> {
    if !path.contains("//") {
        return None;
    }
    let mut merged = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !merged.ends_with('/') {
            merged.push(letter);
        }
    }
    Some(merged)
}

/// RFC 3986 §5.2.4.
fn without_dots(path: &str) -> Option<String> {
    if !path.contains("/.") {
        return None;
    }
    let mut remaining: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in path.split('/').skip(1) {
        ends_open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(remaining.pop()),
            other => remaining.push(other),
        }
    }
    let slash = if ends_open && !remaining.is_empty() { "/" } else { "" };
    changed(path, format!("/{}{slash}", remaining.join("/")))
}

fn by_segment<'p>(path: &'p str, change: impl Fn(&'p str) -> &'p str) -> String {
    path.split('/').map(change).collect::<Vec<_>>().join("/")
}

fn changed(before: &str, after: String) -> Option<String> {
    (before != after).then_some(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_what_lenient_programs_read() {
        for (path, reading) in [
            ("/public/%ef%bc%8e%ef%bc%8e/portal/secret", "/portal/secret"),
            ("/public/%e2%80%a4%e2%80%a4/secret", "/secret"),
            ("/public/%e2%80%a5/secret", "/secret"),
            ("/public%ef%bc%8f..%ef%bc%8fsecret", "/secret"),
            ("/public/..%e2%81%84secret", "/secret"),
            ("/public/%c0%ae%c0%ae/secret", "/secret"),
            ("/public/%e0%80%ae%f0%80%80%ae/secret", "/secret"),
            ("/public%c0%af..%c0%afsecret", "/secret"),
            ("/public/%u002e%u002e/secret", "/secret"),
            ("/public/%uff0e%uff0e/secret", "/secret"),
            ("/public/%252e%252e/secret", "/secret"),
            ("/public/%25252e%25252e/secret", "/secret"),
            ("/public/..;x=1/secret", "/secret"),
            ("/secret;jsessionid=1", "/secret"),
            ("/public\\..\\secret", "/secret"),
            ("/public/..%5csecret", "/secret"),
            ("//secret", "/secret"),
            ("/public//..//..//secret", "/secret"),
            ("/./secret/.", "/secret/"),
            ("/secret%20", "/secret"),
            ("/secret.%20", "/secret"),
            ("/secret%00.png", "/secret"),
            ("/secret%3fx", "/secret"),
            ("/secret%23", "/secret"),
            ("/%ef%bd%93%ef%bd%85%ef%bd%83ret", "/secret"),
            ("/%c5%bfecret", "/secret"),
            ("/adm%c4%b1n", "/admin"),
            // decoded twice, as bytes
            ("/%%65f%bd%93ecret", "/secret"),
        ] {
            let found = of(path).unwrap();
            assert!(found.iter().any(|found| found == reading), "{path}: {found:?}");
        }
    }

    #[test]
    fn ordinary_paths_have_one_or_two() {
        for (path, readings) in [
            ("/", &[][..]),
            ("/devportal/apis/0ab/overview", &[]),
            ("/a.b/c..d/e/", &[]),
            ("/.well-known/x", &[]),
            ("/caf%C3%A9/x", &["/café/x"]),
            ("/a%20b", &["/a b"]),
            ("/secret.", &["/secret"]),
            ("/secret../x", &["/secret/x"]),
            ("/wiki/C%23", &["/wiki/C#", "/wiki/C"]),
        ] {
            assert_eq!(of(path).unwrap(), readings, "{path}");
            assert!(may_have(path) || readings.is_empty(), "{path}");
        }
    }

    #[test]
    fn attack_path_with_too_many_readings() {
        let deep = format!("/{}2e/x", "%25".to_owned() + &"25".repeat(60));
        let mixed = "/%20a%3b%5c%2e%23/%2e%2e/%ef%bc%8e%25252f%c0%af//b%20.;/..%255c".repeat(3);
        for path in [deep, mixed, format!("/{}", "%20".repeat(1000))] {
            assert_eq!(of(&path), None, "{path}");
        }
    }

    /// Encodes `path` in forms that lenient programs undo.
    fn obfuscated(path: &str, how: &[u8]) -> String {
        how.iter().fold(path.to_owned(), |path, how| match how {
            0 => path.replace('e', "%65"),
            1 => path.replace('%', "%25"),
            2 => path.replacen('/', "//", 2),
            3 => format!("/public/..{path}"),
            4 => format!("{path};v=1"),
            5 => path.replacen("/a", "\\a", 1),
            6 => path.replace('a', "%ef%bd%81"),
            7 => path.replace("..", "%ef%bc%8e%c0%ae"),
            _ => format!("{path}%20"),
        })
    }

    proptest! {
        #[test]
        fn finds_the_plain_path_among_the_readings(
            segments in prop::collection::vec("[a-e]{1,3}", 1..4),
            how in prop::collection::vec(0_u8..9, 0..3),
        ) {
            let plain = format!("/{}", segments.join("/"));
            let sent = obfuscated(&plain, &how);
            if let Some(found) = of(&sent) {
                prop_assert!(sent == plain || found.contains(&plain), "{} {:?}", sent, found);
            }
        }

        #[test]
        fn any_path_is_taken(path in "/[a-c%2e5fF;\\\\/. \u{ff0e}\u{2044}c0aebf]{0,40}") {
            let found = of(&path).unwrap_or_default();
            prop_assert!(found.len() <= MAX_READINGS);
            prop_assert!(!found.contains(&path));
        }
    }
}
