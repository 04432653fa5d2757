//! The normal form of a path, and its readings. The portal gets the bytes that were sent; rules apply to every reading of them
//! (`readings`).
//!
//! Doorward's own paths have one reading: their normal form. A path that two programs could read differently is rejected there,
//! not repaired. The only normalisation decodes `%XX` of characters that are allowed unencoded in a path, except `/`.

pub mod readings;
mod shape;
mod steps;

pub use shape::PathShape;

use std::borrow::Cow;

/// Why a path is ambiguous or invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.detail())]
pub enum PathProblem {
    NotAbsolute,
    RawCharacter,
    Backslash,
    PathParameter,
    EmptySegment,
    DotSegment,
    BadEncoding,
    EncodedSlash,
    EncodedControl,
    DoubleEncoding,
    NotUtf8,
    AboveRoot,
}

impl PathProblem {
    pub const fn detail(self) -> &'static str {
        match self {
            Self::NotAbsolute => "the path does not start with '/'",
            Self::RawCharacter => "the path has a character that has to be percent-encoded",
            Self::Backslash => "the path has a '\\', which some programs read as '/'",
            Self::PathParameter => "the path has a ';', which some programs cut off",
            Self::EmptySegment => "the path has an empty segment ('//')",
            Self::DotSegment => "the path has a '.' or '..' segment",
            Self::BadEncoding => "the path has a '%' that is not followed by two hexadecimal digits",
            Self::EncodedSlash => "the path has an encoded '/' or '\\'",
            Self::EncodedControl => {
                "the path has an encoded control character (NUL, CR or LF, or any in an address of Doorward)"
            }
            Self::DoubleEncoding => "the path is encoded twice",
            Self::NotUtf8 => "the path is not UTF-8 once decoded",
            Self::AboveRoot => "the path has more '..' segments than it has segments to leave",
        }
    }
}

/// The path in normal form; borrowed if it is already normal, after one pass over its bytes.
pub fn normal_form(path: &str) -> Result<Cow<'_, str>, PathProblem> {
    if !path.starts_with('/') {
        return Err(PathProblem::NotAbsolute);
    }
    if !scan(path)? {
        return Ok(Cow::Borrowed(path));
    }
    let Some(decoded) = decode(path)? else {
        reject_double_encoding(path)?;
        return Ok(Cow::Borrowed(path));
    };
    // after decoding, dots may be adjacent, or digits may follow a `%25`
    scan(&decoded)?;
    reject_double_encoding(&decoded)?;
    Ok(Cow::Owned(decoded))
}

/// Whether this byte is allowed unencoded in a path. (`%` is not: it starts an encoded byte.)
pub const fn is_path_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@'
            | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'='
    ) || is_tolerated(byte)
}

/// Not allowed by RFC 3986, but browsers send these characters unencoded, and most servers accept them.
/// Some reject them, so they keep their spelling, and no rule can contain them.
pub const fn is_tolerated(byte: u8) -> bool {
    matches!(byte, b'[' | b']' | b'|')
}

const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time; the index is a u8")]
        {
            plain[byte as usize] = is_path_byte(byte) && byte != b'/';
        }
        if byte == u8::MAX {
            break plain;
        }
        byte += 1;
    }
};

/// One pass over the bytes: rejects forbidden bytes, and returns whether any byte is encoded.
fn scan(path: &str) -> Result<bool, PathProblem> {
    let bytes = path.as_bytes();
    let mut encoded = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if PLAIN.get(usize::from(byte)).copied().unwrap_or(false) {
            continue;
        }
        match byte {
            b'/' => match bytes.get(at + 1..).unwrap_or_default() {
                [b'/', ..] => return Err(PathProblem::EmptySegment),
                // programs that trim read `..%20` as `..`
                [b'.', rest @ ..] if is_dots_and_blanks(rest) => return Err(PathProblem::DotSegment),
                [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..] => {
                    return Err(PathProblem::DotSegment);
                }
                _ => {}
            },
            b'%' => encoded = true,
            b'\\' => return Err(PathProblem::Backslash),
            b';' => return Err(PathProblem::PathParameter),
            _ => return Err(PathProblem::RawCharacter),
        }
    }
    Ok(encoded)
}

/// Whether the rest of a segment after a leading dot consists of dots, followed by encoded blanks.
fn is_dots_and_blanks(rest: &[u8]) -> bool {
    let segment = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
    let dots = segment.iter().take_while(|byte| **byte == b'.').count();
    let blanks = segment.get(dots..).unwrap_or_default();
    dots <= 1 && !blanks.is_empty() && blanks.chunks(3).all(|three| three == b"%20")
}

/// The byte that two digits encode.
fn hexadecimal(digits: &str) -> Option<u8> {
    // `from_str_radix` also takes a sign
    let all_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all_digits.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// `None` if no byte had to be decoded.
fn decode(path: &str) -> Result<Option<String>, PathProblem> {
    // overlong forms such as %c0%af are not UTF-8: some programs still read a '/' there
    if percent_encoding::percent_decode_str(path).decode_utf8().is_err() {
        return Err(PathProblem::NotUtf8);
    }
    let mut out = String::with_capacity(path.len());
    let mut parts = path.split('%');
    out.push_str(parts.next().unwrap_or_default());
    let mut changed = false;
    for part in parts {
        let Some((digits, rest)) = part.split_at_checked(2) else { return Err(PathProblem::BadEncoding) };
        match hexadecimal(digits).ok_or(PathProblem::BadEncoding)? {
            b'/' | b'\\' => return Err(PathProblem::EncodedSlash),
            b';' => return Err(PathProblem::PathParameter),
            0..=0x1f | 0x7f => return Err(PathProblem::EncodedControl),
            byte if is_path_byte(byte) && !is_tolerated(byte) => {
                out.push(char::from(byte));
                changed = true;
            }
            _ => {
                out.push('%');
                out.push_str(digits);
            }
        }
        out.push_str(rest);
    }
    Ok(changed.then_some(out))
}

/// `%252e` decodes to `%2e` once, and to `.` twice.
fn reject_double_encoding(path: &str) -> Result<(), PathProblem> {
    let twice = path
        .split("%25")
        .skip(1)
        .any(|rest| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    if twice { Err(PathProblem::DoubleEncoding) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_clean_path_is_not_touched() {
        for path in [
            "/",
            "/devportal/apis/0ab-1.2_3~4/overview",
            "/a/",
            "/.well-known/x",
            "/..a/.b/c..",
            "/a.b/...",
            "/(a)!$&'*+,=:@",
            "/caf%C3%A9/100%25",
            "/wiki/C%23",
            "/wiki/What%3F",
            "/a%20b",
            "/[id]|x",
        ] {
            assert!(matches!(normal_form(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
        }
    }

    #[test]
    fn path_characters_have_one_spelling() {
        for (written, normal) in [
            ("/%40admin/x", "/@admin/x"),
            ("/%3A%24%21%26%27%28%29%2A%2b%2C%3d", "/:$!&'()*+,="),
            ("/a%5bb%5D%7c", "/a%5bb%5D%7c"),
            ("/%64evportal", "/devportal"),
            ("/%44%45v", "/DEv"),
            ("/v1%2e0", "/v1.0"),
            ("/%7euser/%2Dx%5fy", "/~user/-x_y"),
            ("/%61%20b%c3%a4", "/a%20b%c3%a4"),
        ] {
            assert_eq!(normal_form(written).unwrap(), normal);
        }
    }

    /// GHSA-p224-6x5r-fjpm, CVE-2019-9901, CVE-2021-29492, CVE-2026-73511, CVE-2026-63177, CVE-2026-34908
    #[test]
    fn attack_path_confusion() {
        use PathProblem::{
            Backslash, BadEncoding, DotSegment, DoubleEncoding, EmptySegment, EncodedControl, EncodedSlash,
            NotAbsolute, NotUtf8, PathParameter, RawCharacter,
        };
        for (path, problem) in [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("admin", NotAbsolute),
            ("//admin", EmptySegment),
            ("/public//admin", EmptySegment),
            ("/admin//", EmptySegment),
            ("/public/../admin", DotSegment),
            ("/public/..", DotSegment),
            ("/./admin", DotSegment),
            ("/admin/.", DotSegment),
            ("/public/%2e%2e/admin", DotSegment),
            ("/public/.%2E/admin", DotSegment),
            ("/public/%2e./admin", DotSegment),
            ("/%2e/admin", DotSegment),
            ("/public/%252e%252e/admin", DoubleEncoding),
            ("/public/%252E%252E%252Fadmin", DoubleEncoding),
            ("/public/%25%32%65%25%32%65/admin", DoubleEncoding),
            ("/public%252fadmin", DoubleEncoding),
            ("/public%25252fadmin", DoubleEncoding),
            ("/public%2f..%2fadmin", EncodedSlash),
            ("/public%2Fadmin", EncodedSlash),
            ("/public%5c..%5cadmin", EncodedSlash),
            ("/public%5C", EncodedSlash),
            ("/public\\..\\admin", Backslash),
            ("/\\evil.example", Backslash),
            ("/devportal/services/..;/x", PathParameter),
            ("/devportal;x=1/apis", PathParameter),
            ("/devportal/apis;jsessionid=1", PathParameter),
            ("/public/..%3b/admin", PathParameter),
            ("/public%3B/admin", PathParameter),
            ("/admin%00.css", EncodedControl),
            ("/admin%0a", EncodedControl),
            ("/admin%0D%0A", EncodedControl),
            ("/admin%09", EncodedControl),
            ("/admin%7f", EncodedControl),
            ("/100%", BadEncoding),
            ("/%2", BadEncoding),
            ("/%zz", BadEncoding),
            ("/%u002e", BadEncoding),
            ("/%+1", BadEncoding),
            ("/public/%c0%ae%c0%ae/admin", NotUtf8),
            ("/public%c0%afadmin", NotUtf8),
            ("/caf%e9", NotUtf8),
            ("/admin#/public", RawCharacter),
            ("/admin?x", RawCharacter),
            ("/café", RawCharacter),
            ("/a b", RawCharacter),
            ("/a\tb", RawCharacter),
            ("/a\0", RawCharacter),
            ("/a\u{7f}", RawCharacter),
            ("/a<b>", RawCharacter),
            ("/a\"b", RawCharacter),
            ("/{id}", RawCharacter),
        ] {
            assert_eq!(normal_form(path), Err(problem), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_stable_and_decodes_to_the_same(path in "/[a-z%2eE5fFcC0-9./;\\\\~#-]{0,24}") {
            if let Ok(normal) = normal_form(&path) {
                prop_assert_eq!(normal_form(&normal).unwrap(), normal.clone());
                let decoded = |p: &str| percent_encoding::percent_decode_str(p).decode_utf8().unwrap().into_owned();
                prop_assert_eq!(decoded(&normal), decoded(&path));
                // once decoded there is no dot segment, no separator and nothing left to decode
                let plain = decoded(&normal);
                prop_assert!(!plain.contains('\\') && !plain.contains(';') && !plain.contains("//"));
                prop_assert!(plain.split('/').all(|s| s != "." && s != ".."));
                prop_assert_eq!(plain.matches('/').count(), path.matches('/').count());
                let twice = percent_encoding::percent_decode_str(&plain).decode_utf8_lossy().into_owned();
                prop_assert_eq!(twice, plain);
            }
        }
    }
}
