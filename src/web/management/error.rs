//! Refusals in WSO2's shape: `code`, `message`, `description`, `traceId`.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::{domain::governance::ErrorCode, http::retry_after};

/// An error response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiProblem {
    status: StatusCode,
    /// WSO2's, or ours made of the status.
    code: Option<ErrorCode>,
    message: &'static str,
    description: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    code: &'a str,
    message: &'a str,
    description: &'a str,
    #[serde(rename = "traceId")]
    trace_id: &'a str,
}

impl ApiProblem {
    pub fn new(status: StatusCode, message: &'static str, description: impl Into<String>) -> Self {
        Self { status, code: None, message, description: description.into(), headers: Vec::new() }
    }

    pub fn bad_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Invalid request.", description)
    }

    /// One of WSO2's for governance, with what it is about.
    pub fn governance(code: ErrorCode, about: &[&str]) -> Self {
        Self::of_code(code, code.description(about))
    }

    pub fn of_code(code: ErrorCode, description: String) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { code: Some(code), ..Self::new(status, code.message(), description) }
    }

    /// An internal failure; the log has its cause under the same request id.
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Service unavailable.",
            "The request cannot be answered at the moment. Try again later.",
        )
        .with_header(header::RETRY_AFTER, retry_after::header_value(retry_after::UNAVAILABLE))
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    #[must_use]
    pub fn with_challenge(self, challenge: Option<HeaderValue>) -> Self {
        match challenge {
            Some(challenge) => self.with_header(header::WWW_AUTHENTICATE, challenge),
            None => self,
        }
    }

    pub fn into_response(self, trace_id: &str) -> Response<Body> {
        let code = match self.code {
            Some(code) => code.to_string(),
            None => format!("MGT-{}00", self.status.as_u16()),
        };
        let written =
            ProblemBody { code: &code, message: self.message, description: &self.description, trace_id };
        let mut response = super::json_response(serde_json::to_string(&written).unwrap_or_default());
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}
