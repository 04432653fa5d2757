//! Normalisations that lenient programs apply to a path before they look it up. Each step is the
//! normalisation of some program; programs combine them in any order.

use std::fmt::Write as _;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark, is_nfkc};

use super::hexadecimal;

/// Each applies one normalisation to a whole path; `None` if that changes nothing.
pub(super) const STEPS: [fn(&str) -> Option<String>; 19] = [
    decoded,
    decoded_in_segments,
    with_utf16_units,
    with_overlong_forms,
    with_latin1_bytes,
    without_invalid_bytes,
    compatible,
    without_accents,
    with_slashes,
    without_parameters,
    before_parameters,
    without_query,
    trimmed,
    without_line_ends,
    without_empty_segments,
    without_authority,
    without_dots,
    without_script,
    without_session_segments,
];

/// Ends of the names of front controllers (`/index.php/admin`).
const SCRIPTS: [&str; 9] = [".php", ".phtml", ".cgi", ".fcgi", ".pl", ".wsgi", ".aspx", ".asp", ".jsp"];

/// Decodes `%XX` once.
fn decoded(path: &str) -> Option<String> {
    decode(path, false)
}

/// Decodes `%XX` once, in each segment by itself: an encoded `/` does not separate segments (Go, Jersey, Envoy).
fn decoded_in_segments(path: &str) -> Option<String> {
    decode(path, true)
}

fn decode(path: &str, keeps_slashes: bool) -> Option<String> {
    let bytes = decoded_bytes(path, keeps_slashes)?;
    let mut text = String::with_capacity(bytes.len());
    push_encoded(&mut text, &bytes);
    // a decoded byte makes it shorter
    (text.len() < path.len()).then_some(text)
}

fn decoded_bytes(path: &str, keeps_slashes: bool) -> Option<Vec<u8>> {
    if !path.contains('%') {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(hexadecimal) {
            Some(b'/') if keeps_slashes => {
                bytes.extend_from_slice(b"%2F");
                rest = after.get(2..).unwrap_or_default();
            }
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

/// Decodes bytes that are not UTF-8 as characters of Latin-1, among them a blank (`%A0`).
fn with_latin1_bytes(path: &str) -> Option<String> {
    with_invalid_bytes(path, |byte| Some(char::from(byte)))
}

/// Decodes and drops bytes that are not UTF-8 (`errors="ignore"` of Python, `//IGNORE` of iconv).
fn without_invalid_bytes(path: &str) -> Option<String> {
    with_invalid_bytes(path, |_| None)
}

fn with_invalid_bytes(path: &str, read: impl Fn(u8) -> Option<char>) -> Option<String> {
    let bytes = decoded_bytes(path, false)?;
    if std::str::from_utf8(&bytes).is_ok() {
        return None;
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| read(*byte)));
    }
    Some(text)
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

/// Decodes `%u002e` (IIS).
fn with_utf16_units(path: &str) -> Option<String> {
    if !path.contains("%u") && !path.contains("%U") {
        return None;
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let unit = after.get(..5).and_then(|code| code.strip_prefix(['u', 'U'])).and_then(utf16_unit);
        rest = if let Some(letter) = unit {
            out.push(letter);
            after.get(5..).unwrap_or_default()
        } else {
            out.push('%');
            after
        };
    }
    out.push_str(rest);
    changed(path, out)
}

fn utf16_unit(digits: &str) -> Option<char> {
    let all_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all_hexadecimal.then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)).flatten()
}

/// Decodes overlong UTF-8, such as `%c0%ae`, as the character that it encodes.
fn with_overlong_forms(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let mut bytes = [0; 4];
        let count = encoded_bytes(after, &mut bytes);
        rest = if let Some((letter, length)) = overlong(bytes.get(..count).unwrap_or_default()) {
            out.push(letter);
            after.get(3 * length..).unwrap_or_default()
        } else {
            out.push('%');
            after.get(1..).unwrap_or_default()
        };
    }
    out.push_str(rest);
    changed(path, out)
}

/// The bytes that `text` begins with in encoded form; returns how many there are, at most four.
fn encoded_bytes(text: &str, bytes: &mut [u8; 4]) -> usize {
    let mut rest = text;
    for (count, byte) in bytes.iter_mut().enumerate() {
        let encoded =
            rest.strip_prefix('%').and_then(|rest| Some((hexadecimal(rest.get(..2)?)?, rest.get(2..)?)));
        let Some((found, after)) = encoded else { return count };
        (*byte, rest) = (found, after);
    }
    bytes.len()
}

/// The ASCII character that these bytes encode in a longer form than UTF-8 allows, and their number.
fn overlong(bytes: &[u8]) -> Option<(char, usize)> {
    let ascii = |high: u8, low: u8| char::from(((high & 1) << 6) | (low & 0x3f));
    match *bytes {
        [first @ 0xc0..=0xc1, second @ 0x80..=0xbf, ..] => Some((ascii(first, second), 2)),
        [0xe0, second @ 0x80..=0x81, third @ 0x80..=0xbf, ..] => Some((ascii(second, third), 3)),
        [0xf0, 0x80, third @ 0x80..=0x81, fourth @ 0x80..=0xbf] => Some((ascii(third, fourth), 4)),
        _ => None,
    }
}

/// Fullwidth letters, dots and slashes, and other characters that become ASCII in NFKC, in a case mapping or in a code page;
/// without the characters that file systems ignore in names (HFS+).
pub(super) fn compatible(path: &str) -> Option<String> {
    if path.is_ascii() {
        return None;
    }
    let ascii = |letter| match letter {
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
        // the last two take the place of `\` in Japanese and Korean code pages
        '\u{2216}' | '\u{29f5}' | '¥' | '₩' => '\\',
        'ı' | 'İ' => 'i',
        other => other,
    };
    let is_ignored = |letter: &char| matches!(*letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let normal: String = if is_nfkc(path) { path.to_owned() } else { path.nfkc().collect() };
    changed(path, normal.chars().filter(|letter| !is_ignored(letter)).map(ascii).collect())
}

/// Databases compare names without accents (MySQL's default collation).
fn without_accents(path: &str) -> Option<String> {
    if path.is_ascii() {
        return None;
    }
    changed(path, path.nfd().filter(|letter| !is_combining_mark(*letter)).nfc().collect())
}

fn with_slashes(path: &str) -> Option<String> {
    path.contains('\\').then(|| path.replace('\\', "/"))
}

/// `/a;x=1/b` as servlet containers read it.
fn without_parameters(path: &str) -> Option<String> {
    path.contains(';').then(|| by_segment(path, |segment| segment.split(';').next().unwrap_or_default()))
}

/// Cuts the path at the first `;`, in any segment.
fn before_parameters(path: &str) -> Option<String> {
    path.split_once(';').map(|(before, _)| before.to_owned())
}

/// A decoded `?`, `#` or NUL ends the path: it begins a query or a fragment, or ends a C string.
fn without_query(path: &str) -> Option<String> {
    let (before, _) = path.split_once(['?', '#', '\0'])?;
    Some(before.to_owned())
}

/// Removes blanks around segments, also as forms encode them (`+`) at their end, and what Windows ignores at the end of file names:
/// dots, and the name of a stream (`::$DATA`, `:$i30:$INDEX_ALLOCATION`).
fn trimmed(path: &str) -> Option<String> {
    let blank = |letter: char| letter.is_whitespace() || letter.is_control();
    let trimmed = by_segment(path, |segment| {
        let name = segment.contains(":$").then(|| segment.split(':').next().unwrap_or_default());
        let segment = name.unwrap_or(segment).trim_matches(blank);
        let name = segment.trim_end_matches(|letter| matches!(letter, '.' | '+') || blank(letter));
        if name.is_empty() { segment } else { name }
    });
    changed(path, trimmed)
}

/// WHATWG's URL parser drops tabs and line ends.
fn without_line_ends(path: &str) -> Option<String> {
    let dropped = ['\t', '\r', '\n'];
    path.contains(dropped).then(|| path.replace(dropped, ""))
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

/// `//host/path` is the path of another host for a URL parser (`new URL(target, base)` of Node.js, `urlsplit` of Python).
fn without_authority(path: &str) -> Option<String> {
    let rest = path.strip_prefix("//")?.trim_start_matches('/');
    Some(rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/").to_owned())
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

/// `/index.php/admin` as a framework behind a front controller reads it: Symfony, Laravel, Drupal and WordPress look up the rest.
fn without_script(path: &str) -> Option<String> {
    let mut begin = 0;
    for segment in path.split_inclusive('/') {
        let end = begin + segment.len();
        let rest = path.get(end..).unwrap_or_default();
        let is_followed = rest.contains(|letter: char| letter != '/');
        if segment.ends_with('/') && is_followed && is_script(segment.trim_end_matches('/')) {
            return Some(format!("{}{rest}", path.get(..begin).unwrap_or_default()));
        }
        begin = end;
    }
    None
}

/// Whether a segment is named like a program.
pub(super) fn is_script(segment: &str) -> bool {
    SCRIPTS.iter().any(|end| {
        let at = segment.len().checked_sub(end.len());
        at.and_then(|at| segment.get(at..)).is_some_and(|found| found.eq_ignore_ascii_case(end))
    })
}

/// ASP.NET without cookies: `/(S(0ab1))/admin`.
fn without_session_segments(path: &str) -> Option<String> {
    let is_session = |segment: &&str| segment.starts_with('(') && segment.ends_with("))");
    path.contains("/(")
        .then(|| path.split('/').filter(|segment| !is_session(segment)).collect::<Vec<_>>().join("/"))
        .and_then(|without| changed(path, if without.is_empty() { "/".to_owned() } else { without }))
}

fn by_segment<'p>(path: &'p str, change: impl Fn(&'p str) -> &'p str) -> String {
    path.split('/').map(change).collect::<Vec<_>>().join("/")
}

fn changed(before: &str, after: String) -> Option<String> {
    (before != after).then_some(after)
}
