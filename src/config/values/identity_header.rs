//! Identity headers of an operator's own choice: their names and templates.

use http::HeaderName;

use crate::{
    config::text_form::{InvalidValue, TextForm},
    domain::user_template::UserTemplate,
};

/// Names that mean something else to the portal, to proxies or to HTTP.
const RESERVED: [&str; 16] = [
    "host",
    "cookie",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "range",
    "origin",
    "referer",
    "forwarded",
    "x-request-id",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaderName(pub HeaderName);

impl TextForm for IdentityHeaderName {
    const EXPECTED: &'static str = "the name of a header, such as \"X-WEBAUTH-USER\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let name = HeaderName::from_bytes(written.as_bytes());
        let name = name.map_err(|_| InvalidValue::new(format!("{written:?} is not the name of a header")))?;
        // gateways read `_` and `.` as `-`
        if name.as_str().contains(['_', '.']) {
            return Err(InvalidValue::new(format!(
                "{written:?}: programs disagree about `_` and `.` in names of headers"
            )));
        }
        let is_reserved = RESERVED.contains(&name.as_str())
            || ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-wso2-tenant", "sec-", "if-"]
                .iter()
                .any(|reserved| name.as_str().starts_with(reserved));
        if is_reserved {
            Err(InvalidValue::new(format!("{written:?} has another meaning")))
        } else {
            Ok(Self(name))
        }
    }

    fn to_text(&self) -> String {
        self.0.to_string()
    }
}

impl TextForm for UserTemplate {
    const EXPECTED: &'static str =
        "text with {name}, {tenant}, {email}, {display_name}, {roles} or {scopes} in it";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        Self::parse(written).map_err(|problem| InvalidValue::new(format!("{written:?}: {problem}")))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}
