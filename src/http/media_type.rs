//! Media types: `Content-Type` of a request (RFC 9110 §8.3).
//!
//! The crate `mime` is not maintained, and `headers` needs it. Both parse parameters that no caller reads.

use http::{HeaderMap, header};

pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";

/// Whether the request has exactly one `Content-Type`, of this type and in UTF-8: with another charset, another program could
/// decode the body differently.
pub fn is_utf8_of(headers: &HeaderMap, media_type: &str) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(media_type))
        && parts.all(|parameter| {
            parameter.split_once('=').is_none_or(|(name, charset)| {
                !name.trim().eq_ignore_ascii_case("charset")
                    || charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_a_body_that_two_readers_decode_differently() {
        for (values, fits) in [
            (&["application/json"][..], true),
            (&["Application/JSON; charset=UTF-8"], true),
            (&["application/json;charset=\"utf-8\""], true),
            (&["application/json; charset = utf-16"], false),
            (&["application/json; charset=utf-16"], false),
            (&["application/json", "application/json"], false),
            (&["application/jsonp"], false),
            (&["text/plain; application/json"], false),
            (&[""], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_TYPE, value.parse().unwrap());
            }
            assert_eq!(is_utf8_of(&headers, JSON), fits, "{values:?}");
        }
    }
}
