//! Checks the media type of a login request: the one of its endpoint, not compressed, in UTF-8.

use super::{AmbiguousLogin, GuardedHead};

pub(super) fn check(head: &GuardedHead<'_>, json: bool) -> Result<(), AmbiguousLogin> {
    if head.content_encoding.is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        return Err(AmbiguousLogin::ContentCoding);
    }
    // without a media type each program chooses its own
    let written = head.content_type.ok_or(AmbiguousLogin::MediaType)?;
    let mut parts = written.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let fits = if json {
        media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
    } else {
        media == "application/x-www-form-urlencoded"
    };
    if !fits {
        return Err(AmbiguousLogin::MediaType);
    }
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.trim().eq_ignore_ascii_case("charset")
            && !["utf-8", "utf8"].iter().any(|utf8| value.trim().trim_matches('"').eq_ignore_ascii_case(utf8))
        {
            return Err(AmbiguousLogin::Charset);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(content_type: &str, coding: Option<&str>) -> Result<(), AmbiguousLogin> {
        check(
            &GuardedHead {
                content_type: Some(content_type),
                content_encoding: coding,
                ..GuardedHead::default()
            },
            false,
        )
    }

    #[test]
    fn attack_a_body_of_another_type_is_not_taken() {
        const FORM: &str = "application/x-www-form-urlencoded";
        for (content_type, coding, said) in [
            (FORM, None, Ok(())),
            ("Application/X-WWW-Form-Urlencoded; Charset=\"UTF-8\"", Some("identity"), Ok(())),
            (FORM, Some("gzip"), Err(AmbiguousLogin::ContentCoding)),
            (FORM, Some(""), Err(AmbiguousLogin::ContentCoding)),
            ("multipart/form-data; boundary=x", None, Err(AmbiguousLogin::MediaType)),
            ("application/json", None, Err(AmbiguousLogin::MediaType)),
            ("text/plain", None, Err(AmbiguousLogin::MediaType)),
            ("application/x-www-form-urlencoded, multipart/form-data", None, Err(AmbiguousLogin::MediaType)),
            ("", None, Err(AmbiguousLogin::MediaType)),
            ("application/x-www-form-urlencoded; charset=utf-16", None, Err(AmbiguousLogin::Charset)),
            (
                "application/x-www-form-urlencoded; charset=utf-8; charset=ibm037",
                None,
                Err(AmbiguousLogin::Charset),
            ),
        ] {
            assert_eq!(form(content_type, coding), said, "{content_type} {coding:?}");
        }
        assert_eq!(check(&GuardedHead::default(), false), Err(AmbiguousLogin::MediaType));
        let json = |content_type| {
            check(&GuardedHead { content_type: Some(content_type), ..GuardedHead::default() }, true)
        };
        assert_eq!(json("application/json"), Ok(()));
        assert_eq!(json("application/vnd.portal.v1+json; charset=utf-8"), Ok(()));
        assert_eq!(json("text/plain"), Err(AmbiguousLogin::MediaType));
        assert_eq!(json(FORM), Err(AmbiguousLogin::MediaType));
    }
}
