//! Folds field names, so that all spellings under which some program finds a field become equal.
//!
//! Express with `qs` finds `username` in `[username]`, `username[]` and `username[0]`, body-parser behind a byte order mark; Rack
//! in `[[username]]`; PHP in `user.name` and `user name` where `user_name` is meant; ASP.NET in any case, as `%u0075sername` and
//! below the name of a parameter (`model.Username`, `model[Username]`); Spring takes `!username` for its default; C cuts at NUL.

use percent_encoding::percent_decode;
use unicode_normalization::UnicodeNormalization;

/// Matches field names that some program treats as one of these fields.
pub(super) struct FieldMatcher {
    folded: Vec<String>,
    /// In characters. Folding never lengthens a name beyond its bytes, so shorter names are skipped without folding.
    shortest: usize,
}

impl FieldMatcher {
    pub fn new(fields: &[&str]) -> Self {
        let folded: Vec<String> =
            fields.iter().map(|field| parts(&decoded(field.as_bytes())).concat()).collect();
        let shortest = folded.iter().map(|field| field.chars().count()).min().unwrap_or(0);
        Self { folded, shortest }
    }

    /// Whether some program treats this encoded name as one of the fields: as a whole, by its first or by its last parts.
    pub fn matches(&self, name: &[u8]) -> bool {
        if name.len() < self.shortest {
            return false;
        }
        let parts = parts(&decoded(name));
        let is_one = |parts: &[String]| {
            let joined = parts.concat();
            !joined.is_empty() && self.folded.contains(&joined)
        };
        (0..parts.len()).any(|at| {
            let (first, last) = parts.split_at(at);
            is_one(first) || is_one(last)
        })
    }
}

/// Folds a decoded name like [`FieldMatcher`].
pub(super) fn folded(name: &str) -> String {
    parts(name).concat()
}

/// `user[Name]` and `user.name` are `user` and `name`; numbers in brackets count elements of a list.
fn parts(name: &str) -> Vec<String> {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let name = name.trim_start_matches(blank).split('\0').next().unwrap_or_default();
    let is_index = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.split(['[', ']', '.']);
    let first = parts.next().map(fold).unwrap_or_default();
    std::iter::once(first).chain(parts.filter(|part| !is_index(part)).map(fold)).collect()
}

fn fold(part: &str) -> String {
    let cased = part.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    cased.filter(|c| c.is_alphanumeric()).collect()
}

/// `%75`, and `%u0075` as ASP.NET reads it.
pub(super) fn decoded(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(&percent_decode(name).collect::<Vec<u8>>()).into_owned();
    if !text.contains("%u") && !text.contains("%U") {
        return text;
    }
    let mut pieces = text.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.strip_prefix(['u', 'U']).and_then(|rest| rest.split_at_checked(4));
        let read =
            code.and_then(|(hex, rest)| Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, rest)));
        if let Some((read, rest)) = read {
            out.push(read);
            out.push_str(rest);
        } else {
            out.push('%');
            out.push_str(piece);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each program finds the field in this spelling.
    #[test]
    fn attack_a_user_name_in_a_spelling_that_only_the_portal_reads() {
        for (program, field, spelling) in [
            ("Express, body-parser", "username", "\u{feff}username"),
            ("Express, body-parser", "username", "%EF%BB%BFusername"),
            ("Express, qs", "username", "[username]"),
            ("Express, qs", "username", "%5Busername%5D[]"),
            ("Express, qs", "username", "username[]"),
            ("Express, qs", "username", "username[0]"),
            ("Express, qs", "username", "username[$ne]"),
            ("Express, qs with allowDots", "username", "username.x"),
            ("Rack", "username", "[[username]]"),
            ("Rails", "user[name]", "user%5Bname%5D[]"),
            ("PHP", "user_name", "user.name"),
            ("PHP", "user_name", "user name"),
            ("PHP", "user_name", "user+name"),
            ("PHP", "user_name", "user[name"),
            ("PHP", "username", " username"),
            ("PHP, old", "username", "username%00x"),
            ("ASP.NET", "username", "UserName"),
            ("ASP.NET", "username", "%u0075sername"),
            ("ASP.NET", "username", "model.Username"),
            ("ASP.NET", "username", "Input[Username]"),
            ("ASP.NET", "Input.Username", "model.Input.Username"),
            ("ASP.NET", "Input.Username", "Input%5BUsername%5D"),
            ("Spring", "username", "_username"),
            ("Spring", "username", "!username"),
            ("Go", "username", "u\u{17f}ername"),
            ("any, converted to one byte", "username", "\u{ff55}sername"),
        ] {
            assert!(
                FieldMatcher::new(&[field]).matches(spelling.as_bytes()),
                "{program}: {field} as {spelling}"
            );
        }
    }

    #[test]
    fn other_fields_are_not_mistaken_for_the_user_name() {
        let alike = FieldMatcher::new(&["username", "user[name]", "email"]);
        for other in [
            "usernames",
            "user",
            "user[mail]",
            "xusername",
            "password",
            "",
            "[]",
            "_",
            "%",
            "%u00",
            "csrf.token",
        ] {
            assert!(!alike.matches(other.as_bytes()), "{other}");
        }
        assert!(!FieldMatcher::new(&["_"]).matches(b""), "a field of signs alone is found as it is written");
    }
}
