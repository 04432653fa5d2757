//! Parses `application/x-www-form-urlencoded` as strict and as lenient programs do. If they differ about a
//! relevant field, the form is rejected.

use percent_encoding::percent_decode;

use super::{AmbiguousLogin, field_matcher::FieldMatcher};

pub(super) fn as_strs(fields: &[String]) -> Vec<&str> {
    fields.iter().map(String::as_str).collect()
}

/// The one value of one of these fields.
pub(super) fn value(fields: &[&str], body: &[u8]) -> Result<Option<String>, AmbiguousLogin> {
    let matcher = FieldMatcher::new(fields);
    let mut found = None;
    for (name, value) in pairs(body) {
        let is_exact = fields.iter().any(|field| is_browser_encoding_of(name, field));
        if is_exact {
            // some programs split fields at `;`, and no browser sends it unencoded
            if value.contains(&b';') {
                return Err(AmbiguousLogin::LookalikeField);
            }
            if found.replace(decode(value)?).is_some() {
                return Err(AmbiguousLogin::DuplicateName);
            }
        }
        if parts(name, value).skip(usize::from(is_exact)).any(|name| matcher.matches(name)) {
            return Err(AmbiguousLogin::LookalikeField);
        }
    }
    Ok(found)
}

/// Whether some program finds one of these fields in the query.
pub(super) fn contains_field(fields: &[&str], query: &[u8]) -> bool {
    let matcher = FieldMatcher::new(fields);
    pairs(query).any(|(name, value)| parts(name, value).any(|name| matcher.matches(name)))
}

/// Whether a body or a query overrides the method of the request (Rails, Laravel, Symfony).
pub(super) fn overrides_method(text: &[u8]) -> bool {
    pairs(text).any(|(name, value)| {
        super::field_matcher::decoded(name).trim().eq_ignore_ascii_case("_method")
            && !value.eq_ignore_ascii_case(b"post")
    })
}

fn pairs(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    body.split(|b| *b == b'&').map(split)
}

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|b| *b == b'=') {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, b""),
    }
}

/// The names that a program finds in a pair if it also splits at `;`; the first is the name of the pair.
fn parts<'a>(name: &'a [u8], value: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let inner = |text: &'a [u8]| text.split(|b| *b == b';').skip(1).map(|part| split(part).0);
    // `a;username=x`: the name of the pair is `a;username`
    std::iter::once(name).chain(inner(name)).chain(inner(value))
}

/// Whether the name is the field as a browser sends it: literally, or with special characters encoded.
fn is_browser_encoding_of(name: &[u8], field: &str) -> bool {
    name == field.as_bytes()
        || url::form_urlencoded::byte_serialize(field.as_bytes()).map(str::as_bytes).eq_concat(name)
}

trait EqConcat {
    fn eq_concat(self, whole: &[u8]) -> bool;
}

impl<'a, I: Iterator<Item = &'a [u8]>> EqConcat for I {
    fn eq_concat(self, mut whole: &[u8]) -> bool {
        for piece in self {
            let Some(rest) = whole.strip_prefix(piece) else { return false };
            whole = rest;
        }
        whole.is_empty()
    }
}

/// Decodes all encoded bytes, as a page that reflects the input does.
pub(super) fn plain(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced).collect()
}

/// `+` is a blank; an invalid encoding or invalid UTF-8 is an error.
fn decode(value: &[u8]) -> Result<String, AmbiguousLogin> {
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
        if *byte == b'%' && !(hex(rest.next()) && hex(rest.next())) {
            return Err(AmbiguousLogin::Encoding);
        }
    }
    let spaced: Vec<u8> = value.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| AmbiguousLogin::Encoding)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(body: &str) -> Result<Option<String>, AmbiguousLogin> {
        value(&["username", "user[name]"], body.as_bytes())
    }

    #[test]
    fn reads_one_name_in_every_browser_encoding() {
        for (body, name) in [
            ("username=alex&password=x", Some("alex")),
            ("password=x;y&a&=&username=alex", Some("alex")),
            ("username=J%C3%BCrgen+M%20x%2B1", Some("Jürgen M x+1")),
            ("username=", Some("")),
            ("username", Some("")),
            ("user%5Bname%5D=alex", Some("alex")),
            ("user[name]=alex", Some("alex")),
            ("password=x", None),
            ("usernames=alex&user=x&user[mail]=y&xusername=z", None),
            ("", None),
        ] {
            assert_eq!(user(body), Ok(name.map(ToOwned::to_owned)), "{body}");
        }
    }

    #[test]
    fn attack_duplicate_username_fields() {
        for body in ["username=alex&username=alex", "username=a&x=1&username=b", "username=a&user[name]=b"] {
            assert_eq!(user(body), Err(AmbiguousLogin::DuplicateName), "{body}");
        }
    }

    #[test]
    fn attack_a_field_name_in_another_spelling() {
        for body in [
            "Username=victim",
            "USERNAME=victim&username=decoy",
            "username=decoy&userName=victim",
            "username[]=victim",
            "username%5B0%5D=victim",
            "%75sername=victim",
            "username=decoy&usern%61me=victim",
            "+username=victim",
            "username%20=victim",
            "username%00=victim",
            "username%00x=victim",
            "u%C5%BFername=victim",
            "user[Name]=victim",
            "USER%5bname%5d=victim",
        ] {
            assert_eq!(user(body), Err(AmbiguousLogin::LookalikeField), "{body}");
        }
        assert_eq!(value(&["user_name"], b"user.name=victim"), Err(AmbiguousLogin::LookalikeField));
    }

    #[test]
    fn attack_semicolons_part_fields_for_some() {
        for body in ["a=1;username=victim", "a;username=victim", ";username=victim&x", "username=decoy;x=1"] {
            assert_eq!(user(body), Err(AmbiguousLogin::LookalikeField), "{body}");
        }
    }

    #[test]
    fn attack_broken_encodings_of_the_name() {
        for body in ["username=%", "username=%4", "username=al%zzex", "username=%ff", "username=%C0%80"] {
            assert_eq!(user(body), Err(AmbiguousLogin::Encoding), "{body}");
        }
    }

    #[test]
    fn attack_plus_and_percent_20_are_the_same_blank() {
        assert_eq!(user("username=john+smith"), user("username=john%20smith"));
        assert_ne!(user("username=john%2Bsmith"), user("username=john+smith"));
    }

    proptest! {
        /// A standard parser finds the user name that was counted.
        #[test]
        fn attack_no_form_hides_a_name_from_the_guard(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "username", "USERNAME", "user%6eame", "password", "=", "=alex", "=b", "&", ";", "%", "%00", "+", "[]", "é",
            ]), 0..12)
        ) {
            let body = pieces.concat();
            let standard: Vec<String> = url::form_urlencoded::parse(body.as_bytes())
                .filter(|(name, _)| name == "username").map(|(_, value)| value.into_owned()).collect();
            match value(&["username"], body.as_bytes()) {
                Ok(Some(name)) => prop_assert_eq!(vec![name], standard),
                Ok(None) => prop_assert!(standard.is_empty(), "{} hides {:?}", body, standard),
                Err(_) => {}
            }
        }
    }
}
