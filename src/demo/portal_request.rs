//! User and tenant of a request to the sample portal, read as WSO2's portal reads them.

use std::{borrow::Cow, sync::Arc};

use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts};
use url::form_urlencoded;

use super::{PortalState, data};
use crate::http::cookie;

pub struct PortalRequest {
    pub tenant: String,
    pub user: Option<PortalUser>,
    /// Path and query, to come back to after sign-in.
    pub path_and_query: String,
    /// Headers that reached the portal, shown on its pages.
    pub headers: HeaderMap,
}

pub struct PortalUser {
    pub sub: String,
    pub name: String,
    pub tenant: String,
}

impl FromRequestParts<Arc<PortalState>> for PortalRequest {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        portal: &Arc<PortalState>,
    ) -> Result<Self, Self::Rejection> {
        let header = parts.headers.get("x-wso2-tenant").and_then(|value| value.to_str().ok());
        let asked = parameter(parts.uri.query(), "tenant")
            .or_else(|| parameter(parts.uri.query(), "X-WSO2-Tenant-Q"));
        let tenant =
            header.map(Cow::Borrowed).or(asked).unwrap_or(Cow::Borrowed("carbon.super")).into_owned();
        let user = if tenant == data::MEMBERS {
            user_from_headers(&parts.headers)
        } else {
            let claims = access_token(&parts.headers).and_then(|token| portal.keys.verify(&token));
            claims.map(|claims| PortalUser { sub: claims.sub, name: claims.name, tenant: claims.tenant })
        };
        let here = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        Ok(Self { tenant, user, path_and_query: here, headers: parts.headers.clone() })
    }
}

impl PortalRequest {
    pub fn is_known_tenant(&self) -> bool {
        data::TENANTS.contains(&self.tenant.as_str())
    }
}

/// The user that a proxy before the portal names, as portals can trust. Safe only if no other client reaches the portal.
fn user_from_headers(headers: &HeaderMap) -> Option<PortalUser> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let sub = text("remote-user")?;
    let name = text("remote-name").unwrap_or_else(|| sub.clone());
    Some(PortalUser { sub, name, tenant: data::MEMBERS.to_owned() })
}

pub fn parameter<'q>(query: Option<&'q str>, wanted: &str) -> Option<Cow<'q, str>> {
    form_urlencoded::parse(query?.as_bytes())
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value)
}

/// WSO2's split token: the first half in the header (or, for pages, in a cookie that scripts can read), the second
/// in a cookie that they cannot. A whole token in the header counts as well.
fn access_token(headers: &HeaderMap) -> Option<String> {
    let second = cookie::read_text(headers, "AM_ACC_TOKEN_DEFAULT_P2").unwrap_or_default();
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let first = bearer.or_else(|| cookie::read_text(headers, "WSO2_AM_TOKEN_1_Default"))?;
    // a whole JWT has two dots
    let whole =
        first.matches('.').count() == 2 && first.rsplit('.').next().is_some_and(|part| part.len() >= 86);
    Some(if whole { first.to_owned() } else { format!("{first}{second}") })
}
