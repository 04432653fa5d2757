//! Refusals in WSO2's shape: `code`, `message`, `description`, `traceId`.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

/// Why a request is not answered as it was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    /// WSO2's, or ours made of the status.
    code: Option<&'static str>,
    message: &'static str,
    description: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Written<'a> {
    code: &'a str,
    message: &'a str,
    description: &'a str,
    #[serde(rename = "traceId")]
    trace_id: &'a str,
}

impl Problem {
    pub fn new(status: StatusCode, message: &'static str, description: impl Into<String>) -> Self {
        Self { status, code: None, message, description: description.into(), headers: Vec::new() }
    }

    pub fn bad_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Invalid request.", description)
    }

    /// Something on our side does not work; what it is, the log says under the same id.
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Service unavailable.",
            "The request cannot be answered at the moment. Try again later.",
        )
        .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn into_response(self, trace_id: &str) -> Response<Body> {
        let own = format!("MGT-{}00", self.status.as_u16());
        let written = Written {
            code: self.code.unwrap_or(&own),
            message: self.message,
            description: &self.description,
            trace_id,
        };
        let mut response = super::json(serde_json::to_string(&written).unwrap_or_default());
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}
