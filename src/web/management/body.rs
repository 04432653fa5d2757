//! Reads a JSON body: media type, size and duration are checked.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::error::ApiProblem;

/// A silence in between ends it sooner.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The text of a request with `application/json`.
pub async fn read_json(headers: &HeaderMap, body: Body, max_bytes: usize) -> Result<String, ApiProblem> {
    if !is_json(headers) {
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

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    // JSON is UTF-8 (RFC 8259 §8.1); another charset is something else
    parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| {
            parameter.split_once('=').is_none_or(|(name, charset)| {
                !name.eq_ignore_ascii_case("charset")
                    || charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        })
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
            (&["Application/JSON; charset=UTF-8"], "{}", 200),
            (&["application/json;charset=\"utf-8\""], "{}", 200),
            (&["application/json; charset=utf-16"], "{}", 415),
            (&["application/json", "application/json"], "{}", 415),
            (&["text/plain"], "{}", 415),
            (&["application/x-www-form-urlencoded"], "{}", 415),
            (&["application/jsonp"], "{}", 415),
            (&[], "{}", 415),
            (&["application/json"], "0123456789", 200),
            (&["application/json"], "0123456789a", 413),
        ] {
            assert_eq!(status(media, body).await, expected, "{media:?} {body}");
        }
    }
}
