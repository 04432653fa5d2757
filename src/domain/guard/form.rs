//! `application/x-www-form-urlencoded`, as strict programs and as lenient ones read it. Where they differ about a field that
//! matters, the form is refused.

use percent_encoding::percent_decode;

use super::{Doubt, field::Alike};

pub(super) fn texts(fields: &[String]) -> Vec<&str> {
    fields.iter().map(String::as_str).collect()
}

/// The one value of one of these fields.
pub(super) fn value(fields: &[&str], body: &[u8]) -> Result<Option<String>, Doubt> {
    let alike = Alike::to(fields);
    let mut found = None;
    for (name, value) in pairs(body) {
        let is_exact = fields.iter().any(|field| is_written(name, field));
        if is_exact {
            // `;` parts fields in some programs, and no browser sends it unencoded
            if value.contains(&b';') {
                return Err(Doubt::Alike);
            }
            if found.replace(decode(value)?).is_some() {
                return Err(Doubt::Twice);
            }
        }
        if parts(name, value).skip(usize::from(is_exact)).any(|name| alike.has(name)) {
            return Err(Doubt::Alike);
        }
    }
    Ok(found)
}

/// Does a query name one of these fields, in anybody's reading?
pub(super) fn names_any(fields: &[&str], query: &[u8]) -> bool {
    let alike = Alike::to(fields);
    pairs(query).any(|(name, value)| parts(name, value).any(|name| alike.has(name)))
}

/// Whether a body or a query asks a framework for another method than that of the request (Rails, Laravel, Symfony).
pub(super) fn overrides_method(text: &[u8]) -> bool {
    pairs(text).any(|(name, value)| {
        super::field::decoded(name).trim().eq_ignore_ascii_case("_method")
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

/// The names that programs see in a pair that also part at `;`; the first is the name of the pair.
fn parts<'a>(name: &'a [u8], value: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let inner = |text: &'a [u8]| text.split(|b| *b == b';').skip(1).map(|part| split(part).0);
    // `a;username=x`: the name of the pair is `a;username`
    std::iter::once(name).chain(inner(name)).chain(inner(value))
}

/// As a browser writes it: plainly, or with what is special encoded.
fn is_written(name: &[u8], field: &str) -> bool {
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

/// With every encoded byte decoded, as a page may repeat it.
pub(super) fn plain(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced).collect()
}

/// `+` is a blank; what is no encoding, or no UTF-8, is no value.
fn decode(value: &[u8]) -> Result<String, Doubt> {
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
        if *byte == b'%' && !(hex(rest.next()) && hex(rest.next())) {
            return Err(Doubt::Encoding);
        }
    }
    let spaced: Vec<u8> = value.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| Doubt::Encoding)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(body: &str) -> Result<Option<String>, Doubt> {
        value(&["username", "user[name]"], body.as_bytes())
    }

    #[test]
    fn one_name_is_read_as_browsers_write_it() {
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
            assert_eq!(user(body), Err(Doubt::Twice), "{body}");
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
            assert_eq!(user(body), Err(Doubt::Alike), "{body}");
        }
        assert_eq!(value(&["user_name"], b"user.name=victim"), Err(Doubt::Alike));
    }

    #[test]
    fn attack_semicolons_part_fields_for_some() {
        for body in ["a=1;username=victim", "a;username=victim", ";username=victim&x", "username=decoy;x=1"] {
            assert_eq!(user(body), Err(Doubt::Alike), "{body}");
        }
    }

    #[test]
    fn attack_broken_encodings_of_the_name() {
        for body in ["username=%", "username=%4", "username=al%zzex", "username=%ff", "username=%C0%80"] {
            assert_eq!(user(body), Err(Doubt::Encoding), "{body}");
        }
    }

    #[test]
    fn attack_plus_and_percent_20_are_the_same_blank() {
        assert_eq!(user("username=john+smith"), user("username=john%20smith"));
        assert_ne!(user("username=john%2Bsmith"), user("username=john+smith"));
    }

    proptest! {
        /// Whoever finds a user name by the standard's rules finds the one that was counted.
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
