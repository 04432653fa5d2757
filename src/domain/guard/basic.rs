//! HTTP Basic (RFC 7617): the name before the colon. The password is never extracted.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::AmbiguousLogin;

/// `None` where the header is not there or is of another scheme.
pub(super) fn user(authorization: Option<&[u8]>) -> Result<Option<String>, AmbiguousLogin> {
    let Some(value) = authorization else { return Ok(None) };
    let value = value.trim_ascii();
    let scheme = value.get(..5).unwrap_or(value);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Ok(None);
    }
    let encoded = match value.get(5..) {
        // `BasicX` is another scheme
        Some([next, ..]) if !next.is_ascii_whitespace() => return Ok(None),
        Some([b' ', encoded @ ..]) => encoded,
        _ => return Err(AmbiguousLogin::Encoding),
    };
    // lenient decoders ignore blanks or padding, or accept another alphabet: they would read another name
    let decoded = STANDARD.decode(encoded).map_err(|_| AmbiguousLogin::Encoding)?;
    let end = decoded.iter().position(|b| *b == b':').ok_or(AmbiguousLogin::Encoding)?;
    if decoded.contains(&0) {
        return Err(AmbiguousLogin::ControlCharacter);
    }
    let name = decoded.get(..end).unwrap_or_default();
    std::str::from_utf8(name).map(|name| Some(name.to_owned())).map_err(|_| AmbiguousLogin::Charset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Option<String>, AmbiguousLogin> {
        user(Some(value.as_bytes()))
    }

    #[test]
    fn the_name_before_the_first_colon() {
        let alex = Ok(Some("alex".to_owned()));
        assert_eq!(user(None), Ok(None));
        assert_eq!(read("Basic YWxleDpwYTpzcw=="), alex);
        assert_eq!(read("bAsIc YWxleDpwYTpzcw=="), alex);
        assert_eq!(read("Basic OnRva2Vu"), Ok(Some(String::new())));
        for other in ["Bearer YWxleDpwYTpzcw==", "Basically x", "Negotiate x", "", "Bas"] {
            assert_eq!(read(other), Ok(None), "{other}");
        }
    }

    #[test]
    fn attack_basic_credentials_with_lenient_base64() {
        for value in [
            "Basic",
            "Basic ",
            "Basic  YWxleDpwYTpzcw==",
            "Basic\tYWxleDpwYTpzcw==",
            "Basic YWxleDpwYTpzcw",
            "Basic YWxl eDpwYTpzcw==",
            "Basic YWxleDpwYTpzcx==",
            "Basic YWxleDrvv70_",
            "Basic YWxleA==",
            "Basic YWxleDpwYTpzcw==, Basic x",
        ] {
            assert_eq!(read(value), Err(AmbiguousLogin::Encoding), "{value}");
        }
        assert_eq!(
            read(&format!("Basic {}", STANDARD.encode("al\0ex:x"))),
            Err(AmbiguousLogin::ControlCharacter)
        );
        assert_eq!(read(&format!("Basic {}", STANDARD.encode(b"\xfc:x"))), Err(AmbiguousLogin::Charset));
    }
}
