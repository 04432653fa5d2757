//! Reads a JSON body: media type, size and duration are checked.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::error::ApiProblem;
use crate::http::media_type;

/// A silence in between ends it sooner.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The text of a request with `application/json`.
pub async fn read_json(headers: &HeaderMap, body: Body, max_bytes: usize) -> Result<String, ApiProblem> {
    // JSON is UTF-8 (RFC 8259 §8.1)
    if !media_type::is_utf8_of(headers, media_type::JSON) {
        return Err(ApiProblem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type.",
            "Send JSON, with the header Content-Type: application/json.",
        ));
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(ApiProblem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type.",
            "Send the body without a Content-Encoding.",
        ));
    }
    let read = timeout(READ_TIMEOUT, Limited::new(body, max_bytes).collect()).await;
    let read = read.map_err(|_| {
        ApiProblem::new(StatusCode::REQUEST_TIMEOUT, "Request timeout.", "The body took too long to arrive.")
    })?;
    let bytes = read.map_err(|error| {
        if error.is::<LengthLimitError>() {
            ApiProblem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Payload too large.",
                format!("At most {max_bytes} bytes are read."),
            )
        } else {
            ApiProblem::bad_request("The body broke off.")
        }
    })?;
    String::from_utf8(bytes.to_bytes().into()).map_err(|_| ApiProblem::bad_request("The body is not UTF-8."))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(media: &[&str], body: &str) -> u16 {
        let mut headers = HeaderMap::new();
        for media in media {
            headers.append(header::CONTENT_TYPE, media.parse().unwrap());
        }
        match read_json(&headers, Body::from(body.to_owned()), 10).await {
            Ok(_) => 200,
            Err(problem) => problem.into_response("").status().as_u16(),
        }
    }

    #[tokio::test]
    async fn json_of_a_bounded_size() {
        for (media, body, expected) in [
            (&["application/json"][..], "{}", 200),
            (&["text/plain"], "{}", 415),
            (&["application/json"], "0123456789", 200),
            (&["application/json"], "0123456789a", 413),
        ] {
            assert_eq!(status(media, body).await, expected, "{media:?} {body}");
        }
    }
}
