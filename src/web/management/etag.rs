//! Entity tags of the management API: conditional requests prevent lost updates. Pure.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::error::ApiProblem;
use crate::{
    crypto::sha256,
    http::conditional::{self, PreconditionFailed},
};

/// A strong tag of exactly this text.
pub fn text_tag(text: &[u8]) -> String {
    format!("\"{}\"", hash(text))
}

/// Collision-resistant.
fn hash(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(sha256(text).get(..16).unwrap_or_default())
}

/// Checks `If-Match` and `If-None-Match` against the current tag.
pub fn check_preconditions(headers: &HeaderMap, tag: &str, exists: bool) -> Result<(), ApiProblem> {
    conditional::check_preconditions(headers, tag, exists)
        .map_err(|PreconditionFailed(header)| precondition_failed(header, tag))
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
    let tags = conditional::if_match_tags(headers)?;
    Some(tags.filter_map(|tag| tag.split('-').next()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

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
