//! Conditional requests (RFC 9110 §13): entity tags, `If-Match` and `If-None-Match`.
//!
//! Only strong tags match: a weak one may stand for several representations. The crate `headers` compares tags, but does not
//! return the tags that a request lists, and depends on `mime`, `sha1` and a second version of `base64`.

use http::{HeaderMap, HeaderName, header};

/// The current version does not fulfil this header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreconditionFailed(pub &'static str);

/// Checks `If-Match` and `If-None-Match` against the current tag. `exists`: for `*` in `If-None-Match`, which requires that nothing
/// exists yet.
pub fn check_preconditions(headers: &HeaderMap, tag: &str, exists: bool) -> Result<(), PreconditionFailed> {
    if headers.contains_key(header::IF_MATCH) && !lists(headers, &header::IF_MATCH, tag, true) {
        return Err(PreconditionFailed("If-Match"));
    }
    if headers.contains_key(header::IF_NONE_MATCH) && lists(headers, &header::IF_NONE_MATCH, tag, exists) {
        return Err(PreconditionFailed("If-None-Match"));
    }
    Ok(())
}

/// Whether `If-None-Match` lists the tag: the client has this version.
pub fn is_not_modified(headers: &HeaderMap, tag: &str) -> bool {
    lists(headers, &header::IF_NONE_MATCH, tag, true)
}

/// The contents of the strong tags of `If-Match`; `None`: the request is for any version.
pub fn if_match_tags(headers: &HeaderMap) -> Option<impl Iterator<Item = &str>> {
    let is_any =
        !headers.contains_key(header::IF_MATCH) || tags(headers, &header::IF_MATCH).any(|tag| tag == "*");
    (!is_any)
        .then(|| tags(headers, &header::IF_MATCH).filter_map(|tag| tag.strip_prefix('"')?.strip_suffix('"')))
}

fn lists(headers: &HeaderMap, name: &HeaderName, tag: &str, any: bool) -> bool {
    tags(headers, name).any(|given| given == tag || (given == "*" && any))
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_the_current_tag() {
        let tag = "\"abc\"";
        for (name, given, exists, may) in [
            ("if-match", "\"abc\"", true, true),
            ("if-match", "\"old\", \"abc\"", true, true),
            ("if-match", "*", true, true),
            ("if-match", "\"old\"", true, false),
            ("if-match", "abc", true, false),
            ("if-match", "", true, false),
            ("if-match", "W/\"abc\"", true, false),
            ("if-none-match", "*", true, false),
            ("if-none-match", "*", false, true),
            ("if-none-match", "\"abc\"", true, false),
            ("if-none-match", "\"old\"", true, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), given.parse().unwrap());
            assert_eq!(check_preconditions(&headers, tag, exists).is_ok(), may, "{name}: {given}");
        }
        assert_eq!(check_preconditions(&HeaderMap::new(), tag, true), Ok(()));
    }
}
