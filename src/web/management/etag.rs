//! Conditional requests (RFC 9110 §13): prevent lost updates. Pure.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::error::ApiProblem;
use crate::crypto::sha256;

/// A strong tag of exactly this text.
pub fn text_tag(text: &[u8]) -> String {
    format!("\"{}\"", hash(text))
}

/// Collision-resistant.
fn hash(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(sha256(text).get(..16).unwrap_or_default())
}

/// Checks `If-Match` and `If-None-Match` against the current tag. `exists`: for `*`, which requires that nothing exists yet.
pub fn check_preconditions(headers: &HeaderMap, tag: &str, exists: bool) -> Result<(), ApiProblem> {
    if headers.contains_key(header::IF_MATCH) && !lists_tag(headers, &header::IF_MATCH, tag, true) {
        return Err(precondition_failed("If-Match", tag));
    }
    if headers.contains_key(header::IF_NONE_MATCH) && lists_tag(headers, &header::IF_NONE_MATCH, tag, exists)
    {
        return Err(precondition_failed("If-None-Match", tag));
    }
    Ok(())
}

/// Another client changed it first; `tag` is the current one.
pub fn precondition_failed(given: &str, tag: &str) -> ApiProblem {
    let problem = ApiProblem::new(
        StatusCode::PRECONDITION_FAILED,
        "Precondition failed.",
        format!(
            "{given} does not match the current version: another client has changed it. Read it again; its ETag, quotes \
             included, is {tag}."
        ),
    );
    match HeaderValue::try_from(tag) {
        Ok(tag) => problem.with_header(header::ETAG, tag),
        Err(_) => problem,
    }
}

/// The tag of a representation at a version.
pub fn content_tag(version: u64, shown: &[u8]) -> String {
    format!("\"{version}-{}\"", hash(shown))
}

/// The tag after a change, without a representation.
pub fn version_tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The versions a change may be made for; `None`: any.
pub fn if_match_versions(headers: &HeaderMap) -> Option<Vec<u64>> {
    if !headers.contains_key(header::IF_MATCH) || lists_tag(headers, &header::IF_MATCH, "*", true) {
        return None;
    }
    let version = |given: &str| {
        let tag = given.trim().strip_prefix('"')?.strip_suffix('"')?;
        tag.split('-').next()?.parse().ok()
    };
    let values = headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    Some(values.flat_map(|value| value.split(',')).filter_map(version).collect())
}

/// Whether `If-None-Match` lists the tag.
pub fn matches_if_none_match(headers: &HeaderMap, tag: &str) -> bool {
    lists_tag(headers, &header::IF_NONE_MATCH, tag, true)
}

fn lists_tag(headers: &HeaderMap, name: &HeaderName, tag: &str, any: bool) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|given| given == tag || (given == "*" && any))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_the_tag_that_is_there_now() {
        let tag = "\"abc\"";
        for (name, given, exists, may) in [
            ("if-match", "\"abc\"", true, true),
            ("if-match", "\"old\", \"abc\"", true, true),
            ("if-match", "*", true, true),
            ("if-match", "\"old\"", true, false),
            ("if-match", "abc", true, false),
            ("if-match", "", true, false),
            // a weak tag names more than one text
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

    #[test]
    fn the_versions_a_change_is_made_for() {
        for (given, versions) in [
            (None, None),
            (Some("*"), None),
            (Some("\"7\""), Some(vec![7])),
            (Some("\"7-00ff\", \"8\""), Some(vec![7, 8])),
            (Some("7"), Some(vec![])),
            (Some("W/\"7\""), Some(vec![])),
            (Some("\"-7\""), Some(vec![])),
            (Some(""), Some(vec![])),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(given) = given {
                headers.insert(header::IF_MATCH, given.parse().unwrap());
            }
            assert_eq!(super::if_match_versions(&headers), versions, "{given:?}");
        }
        let tag = content_tag(7, b"x");
        let headers = HeaderMap::from_iter([(header::IF_MATCH, tag.parse().unwrap())]);
        assert_eq!(super::if_match_versions(&headers), Some(vec![7]));
    }

    #[test]
    fn another_text_has_another_tag() {
        assert_eq!(text_tag(b"{}"), text_tag(b"{}"));
        assert_ne!(text_tag(b"{}"), text_tag(b"{ }"));
        assert!(text_tag(b"").starts_with('"'));
    }
}
