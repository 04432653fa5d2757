//! The OpenAPI description, for client generators. Tests compare it with the responses.

use http::Method;

use crate::domain::management::{ManagementApi, match_path};

const DOCUMENT: &str = include_str!("openapi.json");

/// Needs no authentication: the content is public documentation.
pub fn document_for(method: &Method, path: &str) -> Option<&'static str> {
    let is_read = method == Method::GET || method == Method::HEAD;
    let (api, below) = match_path(path)?;
    (is_read && api == ManagementApi::Governance && below == ["openapi.json"]).then_some(DOCUMENT)
}
