//! The description of the API, for programs that are built from it. Tests hold it against what is answered.

use http::Method;

use crate::domain::management::{Api, target};

const DOCUMENT: &str = include_str!("openapi.json");

/// For everybody: what it says stands in our documentation, too.
pub fn asked_for(method: &Method, path: &str) -> Option<&'static str> {
    let is_read = method == Method::GET || method == Method::HEAD;
    let (api, below) = target(path)?;
    (is_read && api == Api::Governance && below == ["openapi.json"]).then_some(DOCUMENT)
}
