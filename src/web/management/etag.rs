//! Lost updates: what somebody has changed in the meantime is not overwritten (RFC 9110 §13). Pure.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::error::Problem;

/// A strong tag of exactly this text.
pub fn of_text(text: &[u8]) -> String {
    format!("\"{}\"", hash(text))
}

/// Of which no two texts are found that have the same.
fn hash(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text).as_ref().get(..16).unwrap_or_default())
}

/// Whether what is there now, under this tag, may be replaced. `exists`: for `*`, which is for whoever wants to be the first.
pub fn may_change(headers: &HeaderMap, tag: &str, exists: bool) -> Result<(), Problem> {
    if headers.contains_key(header::IF_MATCH) && !lists(headers, &header::IF_MATCH, tag, true) {
        return Err(stale("If-Match", tag));
    }
    if headers.contains_key(header::IF_NONE_MATCH) && lists(headers, &header::IF_NONE_MATCH, tag, exists) {
        return Err(stale("If-None-Match", tag));
    }
    Ok(())
}

/// Somebody else was first; `tag` is what there is now.
pub fn stale(given: &str, tag: &str) -> Problem {
    let problem = Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "Precondition failed.",
        format!(
            "{given} does not fit what is there now: somebody else has changed it. Read it again; its ETag, quotes \
             included, is {tag}."
        ),
    );
    match HeaderValue::try_from(tag) {
        Ok(tag) => problem.with(header::ETAG, tag),
        Err(_) => problem,
    }
}

/// Of what is shown at a version.
pub fn of_version(version: u64, shown: &[u8]) -> String {
    format!("\"{version}-{}\"", hash(shown))
}

/// After a change, when nothing is shown.
pub fn plain_version(version: u64) -> String {
    format!("\"{version}\"")
}

/// The versions a change may be made for; `None`: any.
pub fn versions(headers: &HeaderMap) -> Option<Vec<u64>> {
    if !headers.contains_key(header::IF_MATCH) || lists(headers, &header::IF_MATCH, "*", true) {
        return None;
    }
    let version = |given: &str| {
        let tag = given.trim().strip_prefix('"')?.strip_suffix('"')?;
        tag.split('-').next()?.parse().ok()
    };
    let values = headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    Some(values.flat_map(|value| value.split(',')).filter_map(version).collect())
}

/// Whether the caller has this already.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    lists(headers, &header::IF_NONE_MATCH, tag, true)
}

fn lists(headers: &HeaderMap, name: &HeaderName, tag: &str, any: bool) -> bool {
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
            assert_eq!(may_change(&headers, tag, exists).is_ok(), may, "{name}: {given}");
        }
        assert_eq!(may_change(&HeaderMap::new(), tag, true), Ok(()));
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
            assert_eq!(super::versions(&headers), versions, "{given:?}");
        }
        let tag = of_version(7, b"x");
        let headers = HeaderMap::from_iter([(header::IF_MATCH, tag.parse().unwrap())]);
        assert_eq!(super::versions(&headers), Some(vec![7]));
    }

    #[test]
    fn another_text_has_another_tag() {
        assert_eq!(of_text(b"{}"), of_text(b"{}"));
        assert_ne!(of_text(b"{}"), of_text(b"{ }"));
        assert!(of_text(b"").starts_with('"'));
    }
}
