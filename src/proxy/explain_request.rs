//! The request that `explain` evaluates, built from what an operator writes.

use std::{net::IpAddr, str::FromStr};

use http::{HeaderName, HeaderValue, Method, Request, header, request::Parts};
use serde::Deserialize;
use url::Url;

use super::tenant_selection::X_WSO2_TENANT;

/// A request to explain.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Absolute, or a path.
    pub url: String,
    #[serde(default)]
    pub method: Option<String>,
    #[serde(default)]
    pub tenant: Option<String>,
    #[serde(default)]
    pub token: Option<String>,
    /// `Name: value`
    #[serde(default)]
    pub headers: Vec<String>,
    /// Address of the client; loopback by default.
    #[serde(default)]
    pub client: Option<IpAddr>,
}

/// Why a request cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    #[error("{0}: write a path that begins with `/`, or an address with `https://`")]
    RelativeUrl(String),
    #[error("{url}: {problem}")]
    Url { url: String, problem: String },
    #[error(
        "tenant: requests name none here (tenancy.named_by_request); write an address with the tenant's host name"
    )]
    TenantByHost,
    #[error("{0}: no host")]
    NoHost(String),
    #[error("{0}: not a method")]
    Method(String),
    #[error("{0:?}: not `Name: value`")]
    HeaderLine(String),
    #[error("{0:?}: not a header name")]
    HeaderName(String),
    #[error("{0:?}: not a header value")]
    HeaderValue(String),
}

/// A request as it would arrive.
pub struct ArrivingRequest {
    pub parts: Parts,
    pub tls: bool,
}

impl ExplainRequest {
    pub fn to_arriving(&self) -> Result<ArrivingRequest, ExplainError> {
        let (url, origin_form) = if self.url.starts_with('/') {
            (Url::parse(&format!("http://localhost{}", self.url)), self.url.clone())
        } else {
            let rest = self.url.splitn(4, '/').nth(3);
            (Url::parse(&self.url), rest.map_or_else(|| "/".to_owned(), |rest| format!("/{rest}")))
        };
        let url = url.map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => ExplainError::RelativeUrl(self.url.clone()),
            error => self.url_error(&error),
        })?;
        let method = self.method.as_deref().unwrap_or("GET");
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => return Err(ExplainError::NoHost(self.url.clone())),
        };
        // the path as it was written, since validation is part of the evaluation
        let target = origin_form.split('#').next().unwrap_or("/");
        let mut request = Request::builder()
            .method(Method::from_str(method).map_err(|_| ExplainError::Method(method.to_owned()))?)
            .uri(target)
            .header(header::HOST, host)
            .body(())
            .map_err(|error| self.url_error(&error))?;
        let headers = request.headers_mut();
        // browsers open pages without a token in a header
        if self.headers.is_empty() && self.token.is_none() {
            headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        }
        for line in &self.headers {
            let (name, text) = line.split_once(':').ok_or_else(|| ExplainError::HeaderLine(line.clone()))?;
            let name =
                HeaderName::try_from(name.trim()).map_err(|_| ExplainError::HeaderName(name.to_owned()))?;
            headers.append(name, header_value(text.trim())?);
        }
        if let Some(tenant) = &self.tenant {
            headers.insert(X_WSO2_TENANT, header_value(tenant)?);
        }
        if let Some(token) = &self.token {
            headers.insert(header::AUTHORIZATION, header_value(&format!("Bearer {token}"))?);
        }
        Ok(ArrivingRequest { parts: request.into_parts().0, tls: url.scheme() == "https" })
    }

    fn url_error(&self, problem: &impl ToString) -> ExplainError {
        ExplainError::Url { url: self.url.clone(), problem: problem.to_string() }
    }
}

fn header_value(text: &str) -> Result<HeaderValue, ExplainError> {
    HeaderValue::try_from(text).map_err(|_| ExplainError::HeaderValue(text.to_owned()))
}
