//! Distinguishes paths that have one reading from others, in one pass over the bytes.

use percent_encoding::percent_decode_str;

use super::{
    PathProblem, is_path_byte,
    steps::{compatible, is_script},
};

/// How differently programs may read a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathShape {
    /// Every program reads it as it is written.
    Plain,
    /// It has encoded characters, or characters outside ASCII, none of which structures a path: `%20`, `%C3%A4`, a `+` that may be a
    /// blank. Only programs that trim or normalise names read another path.
    Encoded,
    /// It has a character that some programs treat as structure: `;`, `\`, `%2F`, `//`, a dot at the end of a segment.
    Structured,
}

/// Bytes that no other reading depends on, whatever bytes are beside them.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b'!';
    while byte < 0x7f {
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time; the index is a u8")]
        {
            plain[byte as usize] = !matches!(byte, b'/' | b'%' | b';' | b'\\' | b'?' | b'#' | b':');
        }
        byte += 1;
    }
    plain
};

impl PathShape {
    /// Fails for a path that is refused whatever rule applies to it.
    pub fn of(path: &str) -> Result<Self, PathProblem> {
        let bytes = path.as_bytes();
        let Some((b'/', _)) = bytes.split_first() else { return Err(PathProblem::NotAbsolute) };
        let mut shape = Self::Plain;
        let mut before = 0;
        let mut has_high_bytes = false;
        for (at, &byte) in bytes.iter().enumerate() {
            if !PLAIN.get(usize::from(byte)).copied().unwrap_or(false) {
                let rest = || bytes.get(at + 1..).unwrap_or_default();
                shape = match byte {
                    b'/' if matches!(before, b'/' | b'.') || follows_script(path, at) => Self::Structured,
                    b'/' if rest().first() == Some(&b'(') => Self::Structured,
                    b'/' if before == b'+' => shape.at_least_encoded(),
                    // a stream of a file on Windows
                    b':' if rest().first() == Some(&b'$') => Self::Structured,
                    b'/' | b':' => shape,
                    b'%' => {
                        has_high_bytes |=
                            rest().first().is_some_and(|high| !high.is_ascii_digit() || *high > b'7');
                        match Self::of_encoded(rest())? {
                            Self::Structured => Self::Structured,
                            _ => shape.at_least_encoded(),
                        }
                    }
                    0x80.. => {
                        has_high_bytes = true;
                        shape.at_least_encoded()
                    }
                    b';' | b'\\' | b'?' | b'#' => Self::Structured,
                    _ => return Err(PathProblem::RawCharacter),
                };
            }
            before = byte;
        }
        Ok(match before {
            b'.' => Self::Structured,
            _ if shape == Self::Encoded && has_high_bytes && may_be_structure(path) => Self::Structured,
            b'+' => shape.at_least_encoded(),
            _ => shape,
        })
    }

    const fn at_least_encoded(self) -> Self {
        if matches!(self, Self::Plain) { Self::Encoded } else { self }
    }

    /// `rest` follows a `%`.
    fn of_encoded(rest: &[u8]) -> Result<Self, PathProblem> {
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(byte) = digits.and_then(super::hexadecimal) else { return Ok(Self::Structured) };
        match byte {
            // programs in C cut names off there, and servers have split header lines there
            b'\0' | b'\r' | b'\n' => Err(PathProblem::EncodedControl),
            0x80.. => Ok(Self::Encoded),
            b'%' | b';' | b'\\' | b'?' | b'#' | 0x7f | ..0x20 => Ok(Self::Structured),
            // another spelling of a letter that a rule may contain
            byte if is_path_byte(byte) => Ok(Self::Structured),
            _ => Ok(Self::Encoded),
        }
    }
}

/// Whether the segment that ends at the `/` at `end` is named like a program, and more path follows.
fn follows_script(path: &str, end: usize) -> bool {
    let (segments, rest) = path.split_at_checked(end).unwrap_or_default();
    let has_dot = segments.bytes().rev().take(6).any(|byte| byte == b'.');
    has_dot && rest.len() > 1 && is_script(segments)
}

/// Whether characters outside ASCII may be read as dots or slashes, or bytes are not UTF-8.
#[cold]
fn may_be_structure(path: &str) -> bool {
    let Ok(decoded) = percent_decode_str(path).decode_utf8() else { return true };
    let count = |text: &str| text.bytes().filter(|byte| matches!(byte, b'.' | b'/' | b'\\')).count();
    compatible(&decoded).is_some_and(|compatible| count(&compatible) > count(&decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classifies_paths_by_their_readings() {
        use PathShape::{Encoded, Plain, Structured};
        for (path, shape) in [
            ("/", Plain),
            ("/devportal/apis/0ab-1.2_3~4/overview", Plain),
            ("/.well-known/x", Plain),
            ("/..a/.b/c..d", Plain),
            ("/x(a)!$&'*+,=:@::x|[]{}^\"", Plain),
            ("/wiki/C++", Encoded),
            ("/a+/b", Encoded),
            ("/a%20b", Encoded),
            ("/caf%C3%A9", Encoded),
            ("/café", Encoded),
            ("/%E4", Structured),
            ("/%E3%81%AF/%ED%95%9C", Encoded),
            ("/%ef%bd%81dmin", Encoded),
            ("/%ef%bc%8e%ef%bc%8e/x", Structured),
            ("/%c0%ae%c0%ae/x", Structured),
            ("/a\u{2215}b", Structured),
            ("/index.php/admin", Structured),
            ("/a/Users.ASPX/x", Structured),
            ("/index.php/", Plain),
            ("/index.php", Plain),
            ("/v1.0/x.y/z", Plain),
            ("/(S(0ab1))/admin", Structured),
            ("/admin:$i30:$INDEX_ALLOCATION/x", Structured),
            ("/%7Ca%5b", Structured),
            ("/wiki/C%2B%2B", Structured),
            ("/a%2Fb", Structured),
            ("/a%5cb", Structured),
            ("/a\\b", Structured),
            ("/a;b", Structured),
            ("/a%3bb", Structured),
            ("/a//b", Structured),
            ("//a", Structured),
            ("/a/../b", Structured),
            ("/a/.", Structured),
            ("/a./b", Structured),
            ("/a%2e", Structured),
            ("/a%252f", Structured),
            ("/100%", Structured),
            ("/%zz", Structured),
            ("/%+1", Structured),
            ("/a%20b;c", Structured),
            ("/a;b%20c", Structured),
            ("/a%09b", Structured),
            ("/a::$DATA", Structured),
        ] {
            assert_eq!(PathShape::of(path), Ok(shape), "{path}");
        }
    }

    #[test]
    fn attack_control_characters_in_the_path() {
        for (path, problem) in [
            ("", PathProblem::NotAbsolute),
            ("*", PathProblem::NotAbsolute),
            ("admin", PathProblem::NotAbsolute),
            ("/a\0", PathProblem::RawCharacter),
            ("/a b", PathProblem::RawCharacter),
            ("/a\r\nb", PathProblem::RawCharacter),
            ("/a\u{7f}", PathProblem::RawCharacter),
            ("/admin%00.css", PathProblem::EncodedControl),
            ("/admin%0a", PathProblem::EncodedControl),
            ("/x;y%0D%0Ax", PathProblem::EncodedControl),
        ] {
            assert_eq!(PathShape::of(path), Err(problem), "{path:?}");
        }
    }
}
