//! Problem details (RFC 9457), with members of our own: the request id, and the sign-in address where signing in would help.

use http::StatusCode;
use serde::Serialize;

pub const CONTENT_TYPE: &str = "application/problem+json";

#[derive(Serialize)]
pub struct ProblemDetails<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_in_url: Option<&'a str>,
}

impl<'a> ProblemDetails<'a> {
    pub fn new(status: StatusCode, detail: &'a str, request_id: &'a str) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            request_id,
            sign_in_url: None,
        }
    }

    pub fn with_sign_in_url(self, sign_in_url: Option<&'a str>) -> Self {
        Self { sign_in_url, ..self }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_details_have_the_members_of_rfc_9457() {
        let problem = ProblemDetails::new(StatusCode::NOT_FOUND, "no \"x\"", "7");
        assert_eq!(
            problem.to_json(),
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no \"x\"","request_id":"7"}"#
        );
        let problem = ProblemDetails::new(StatusCode::UNAUTHORIZED, "", "7").with_sign_in_url(Some("/in"));
        assert!(problem.to_json().ends_with(r#""request_id":"7","sign_in_url":"/in"}"#));
    }
}
