//! The devportal asks its own REST API whether anonymous mode is on and shapes its pages by the answer
//! (`IsAnonymousModeEnabled` in `/settings`). Since Doorward decides about it, that one value is corrected in the
//! response; everything else stays as the portal wrote it.

use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderValue, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, LAST_MODIFIED, RANGE,
    },
};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

use super::body::ResponseBody;

const KEY: &str = "IsAnonymousModeEnabled";
/// A settings document is a few KiB.
const MAX_BYTES: usize = 1024 * 1024;

/// Is this the settings document of the devportal's REST API?
pub fn is_settings_path(path: &str) -> bool {
    ["/api/am/devportal/", "/api/am/store/"]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix))
        .map(|rest| rest.split_once('/').map_or(rest, |(_version, document)| document))
        == Some("settings")
}

/// Requests a document that can be corrected: complete, not compressed, not `304 Not Modified`.
pub fn request_plain_document(request: &mut HeaderMap) {
    for name in [ACCEPT_ENCODING, IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE] {
        request.remove(name);
    }
}

/// The portal's settings cannot be corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its settings break off, or are too long")]
pub struct IncompleteSettings;

/// Sets the anonymous mode that is enforced. Any other document passes unchanged.
pub async fn correct_anonymous_mode(
    answer: Response<ResponseBody>,
    anonymous: bool,
) -> Result<Response<ResponseBody>, IncompleteSettings> {
    if answer.status() != StatusCode::OK || answer.headers().contains_key(CONTENT_ENCODING) {
        return Ok(answer);
    }
    let (mut parts, body) = answer.into_parts();
    let bytes = Limited::new(body, MAX_BYTES).collect().await.map_err(|_| IncompleteSettings)?.to_bytes();
    let bytes = with_anonymous_mode(&bytes, anonymous).map_or(bytes, Bytes::from);
    for name in [ETAG, LAST_MODIFIED] {
        parts.headers.remove(name);
    }
    // a HEAD response has no body, but its length would be that of the uncorrected document
    if bytes.is_empty() {
        parts.headers.remove(CONTENT_LENGTH);
    } else {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Ok(Response::from_parts(parts, ResponseBody::whole(bytes)))
}

fn with_anonymous_mode(document: &[u8], anonymous: bool) -> Option<Vec<u8>> {
    let mut document: serde_json::Map<String, Value> = serde_json::from_slice(document).ok()?;
    document.insert(KEY.to_owned(), Value::Bool(anonymous));
    serde_json::to_vec(&document).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_only_settings_document_of_rest_api() {
        for (path, is) in [
            ("/api/am/devportal/v3/settings", true),
            ("/api/am/devportal/settings", true),
            ("/api/am/store/v1/settings", true),
            ("/api/am/devportal/v3/settings/application-attributes", false),
            ("/api/am/publisher/v3/settings", false),
            ("/devportal/settings", false),
        ] {
            assert_eq!(is_settings_path(path), is, "{path}");
        }
    }

    #[test]
    fn corrects_only_anonymous_mode() {
        let portal = br#"{"scopes":["apim:subscribe"],"IsAnonymousModeEnabled":true,"grantTypes":[]}"#;
        let corrected: Value = serde_json::from_slice(&with_anonymous_mode(portal, false).unwrap()).unwrap();
        assert_eq!(
            corrected,
            serde_json::json!({"scopes": ["apim:subscribe"], "IsAnonymousModeEnabled": false, "grantTypes": []})
        );
    }

    #[test]
    fn leaves_non_object_documents_unchanged() {
        for document in ["", "[]", "oops", "\"x\""] {
            assert_eq!(with_anonymous_mode(document.as_bytes(), false), None, "{document:?}");
        }
    }
}
