//! Answers of our own to a refused request, in the format its caller reads: a page for a person, WSO2's JSON for WSO2's
//! APIs, `application/problem+json` (RFC 9457) for all others.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_LANGUAGE, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL,
        CONTENT_TYPE, LOCATION, ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    },
};
use serde::Serialize;

use super::{body::ResponseBody, overload::Overload};
use crate::{
    config::TenantPolicy,
    domain::{
        fairness::Limit,
        page::{Page, PageContext, Pages},
        route::Surface,
        tenant::NamedTenant,
    },
    telemetry::metrics::Outcome,
    token::TokenError,
};

/// Why a request gets an answer of ours instead of the portal's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    BadRequest(&'static str),
    /// The request has more than one meaning, or none (`hygiene`).
    Unclear {
        status: StatusCode,
        detail: &'static str,
    },
    /// It came in clear text, and HTTPS is wanted.
    HttpsNeeded {
        location: Option<HeaderValue>,
    },
    TenantConflict(NamedTenant, NamedTenant),
    UnknownTenant(String),
    /// No proof of identity, and one is needed.
    SignInNeeded {
        sign_in_url: Option<String>,
    },
    SignInLoop {
        sign_in_url: String,
    },
    /// A proof of identity that does not count.
    BadToken(TokenError),
    /// A sign-in of the portal's that is not let through: its name, or its address, is locked. What is wrong is not said.
    SignInRefused {
        basic: bool,
    },
    /// Too many sign-ins of one name at the portal at once.
    TooManySignIns {
        retry_after: Duration,
    },
    /// A WebSocket from a page of somebody else.
    ForeignOrigin,
    /// A WebSocket on a route that has none.
    UpgradeRefused,
    /// What is kept of accounts and sessions cannot be asked.
    StoreDown,
    PortalDown,
    PortalSlow,
    /// All clients together ask for too much.
    Overloaded(Overload),
    /// This client asks for too much.
    ClientLimit {
        limit: Limit,
        retry_after: Duration,
    },
}

/// One sentence for a wrong password, a name nobody has and a locked one.
pub const SIGN_IN_REFUSED: &str =
    "The user name or the password is not right, or there were too many attempts: wait a few minutes";

const HTTPS_NEEDED: &str = "this server is asked by HTTPS only";
pub const TOO_MANY_SIGN_INS: &str = "Too many sign-ins with this user name at once";

/// Pages, and the headers each of them goes out with.
pub struct PageSource {
    pub pages: Arc<dyn Pages>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What an answer has to know of the request, kept from its head.
#[derive(Debug, Clone)]
pub struct Caller {
    pub wants_page: bool,
    pub surface: Surface,
    pub origin: Option<HeaderValue>,
    pub languages: Option<HeaderValue>,
    pub request_id: HeaderValue,
}

impl Caller {
    pub fn new(headers: &HeaderMap, request_id: HeaderValue) -> Self {
        Self {
            wants_page: false,
            surface: Surface::Api,
            origin: headers.get(ORIGIN).cloned(),
            languages: headers.get(ACCEPT_LANGUAGE).cloned(),
            request_id,
        }
    }
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::TenantConflict(..) => StatusCode::BAD_REQUEST,
            Self::Unclear { status, .. } => *status,
            Self::HttpsNeeded { location: Some(_) } => StatusCode::PERMANENT_REDIRECT,
            Self::UnknownTenant(_) => StatusCode::NOT_FOUND,
            Self::HttpsNeeded { location: None }
            | Self::BadToken(TokenError::MissingScope { .. })
            | Self::ForeignOrigin
            | Self::UpgradeRefused => StatusCode::FORBIDDEN,
            Self::BadToken(TokenError::Unavailable) | Self::StoreDown | Self::Overloaded(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::SignInNeeded { .. }
            | Self::SignInLoop { .. }
            | Self::SignInRefused { .. }
            | Self::BadToken(_) => StatusCode::UNAUTHORIZED,
            Self::ClientLimit { .. } | Self::TooManySignIns { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::PortalDown => StatusCode::BAD_GATEWAY,
            Self::PortalSlow => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The word used in the access log.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) | Self::Unclear { .. } => "bad_request",
            Self::HttpsNeeded { .. } => "https_needed",
            Self::TenantConflict(..) => "tenant_conflict",
            Self::UnknownTenant(_) => "unknown_tenant",
            Self::SignInNeeded { .. } => "sign_in_needed",
            Self::SignInLoop { .. } => "sign_in_loop",
            Self::BadToken(TokenError::Unavailable) => "tokens_unavailable",
            Self::BadToken(TokenError::MissingScope { .. }) => "insufficient_scope",
            Self::BadToken(_) => "invalid_token",
            Self::SignInRefused { .. } => "sign_in_refused",
            Self::TooManySignIns { .. } => "too_many_sign_ins",
            Self::ForeignOrigin => "foreign_origin",
            Self::UpgradeRefused => "upgrade_refused",
            Self::StoreDown => "store_unavailable",
            Self::PortalDown => "portal_down",
            Self::PortalSlow => "portal_slow",
            Self::Overloaded(cause) => cause.reason(),
            Self::ClientLimit { limit, .. } => limit.reason(),
        }
    }

    /// The metric it counts as.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::UnknownTenant(_) => Outcome::unknown_tenant,
            Self::HttpsNeeded { location: Some(_) } => Outcome::local,
            Self::PortalDown | Self::PortalSlow => Outcome::portal_error,
            _ => match self.status() {
                StatusCode::UNAUTHORIZED => Outcome::unauthorized,
                StatusCode::FORBIDDEN => Outcome::forbidden,
                StatusCode::SERVICE_UNAVAILABLE => Outcome::unavailable,
                StatusCode::TOO_MANY_REQUESTS => Outcome::limited,
                _ => Outcome::bad_request,
            },
        }
    }

    pub fn detail(&self) -> String {
        match self {
            Self::BadRequest(detail) | Self::Unclear { detail, .. } => (*detail).to_owned(),
            Self::HttpsNeeded { .. } => HTTPS_NEEDED.to_owned(),
            Self::TenantConflict(first, second) => {
                format!("The request names two tenants: {first} and {second}")
            }
            Self::UnknownTenant(tenant) => format!("There is no tenant {tenant}"),
            Self::SignInNeeded { .. } | Self::SignInLoop { .. } => "Unauthenticated request".to_owned(),
            Self::BadToken(error) => error.to_string(),
            Self::SignInRefused { .. } => SIGN_IN_REFUSED.to_owned(),
            Self::TooManySignIns { .. } => TOO_MANY_SIGN_INS.to_owned(),
            Self::ForeignOrigin => "The request comes from a page of another origin".to_owned(),
            Self::UpgradeRefused => "This route does not switch protocols".to_owned(),
            Self::StoreDown => "Who signs in, or has signed in, cannot be found out now".to_owned(),
            Self::PortalDown => "The portal does not answer".to_owned(),
            Self::PortalSlow => "The portal does not answer in time".to_owned(),
            Self::Overloaded(_) => "Too many requests at once".to_owned(),
            Self::ClientLimit { limit, .. } => limit.detail().to_owned(),
        }
    }

    pub fn page(&self) -> Page {
        match self.clone() {
            Self::BadRequest(detail) | Self::Unclear { detail, .. } => Page::BadRequest { detail },
            Self::HttpsNeeded { .. } => Page::BadRequest { detail: HTTPS_NEEDED },
            Self::TenantConflict(first, second) => Page::TenantConflict { first, second },
            Self::UnknownTenant(tenant) => Page::UnknownTenant { tenant },
            Self::SignInNeeded { sign_in_url } => Page::SignInNeeded { sign_in_url },
            Self::SignInLoop { sign_in_url } => Page::SignInLoop { sign_in_url },
            Self::BadToken(TokenError::MissingScope { required }) => Page::Forbidden { missing: required },
            Self::Overloaded(cause) => cause.page(),
            Self::BadToken(TokenError::Unavailable) | Self::StoreDown => Page::Unavailable,
            Self::BadToken(error) => Page::TokenRefused { reason: error.to_string() },
            Self::SignInRefused { .. } => Page::SignInRefused,
            Self::ForeignOrigin => Page::ForeignOrigin,
            Self::ClientLimit { .. } | Self::TooManySignIns { .. } => Page::TooManyRequests,
            // never a page: a WebSocket is no navigation
            Self::UpgradeRefused => Page::Forbidden { missing: Vec::new() },
            Self::PortalDown => Page::PortalDown,
            Self::PortalSlow => Page::PortalSlow,
        }
    }

    /// When it is worth trying again, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::ClientLimit { retry_after, .. } | Self::TooManySignIns { retry_after } => {
                Some(retry_after.as_millis().div_ceil(1000))
            }
            _ => (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(5),
        }
        .and_then(|seconds| u64::try_from(seconds).ok())
    }

    /// RFC 6750 §3
    fn challenge(&self, tenant: Option<&TenantPolicy>) -> Option<HeaderValue> {
        let realm = tenant.map_or("doorward", |policy| policy.tenant.as_str());
        let value = match self {
            Self::SignInNeeded { .. } | Self::SignInLoop { .. } | Self::SignInRefused { basic: false } => {
                format!("Bearer realm=\"{realm}\"")
            }
            Self::BadToken(TokenError::MissingScope { required }) => format!(
                "Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{}\"",
                required.join(" ")
            ),
            Self::SignInRefused { basic: true } => format!("Basic realm=\"{realm}\", charset=\"UTF-8\""),
            Self::BadToken(TokenError::Unavailable) => return None,
            Self::BadToken(error) => {
                format!("Bearer realm=\"{realm}\", error=\"invalid_token\", error_description=\"{error}\"")
            }
            _ => return None,
        };
        HeaderValue::try_from(value).ok()
    }
}

/// The whole answer, but for the request id that every answer gets.
pub fn refuse(
    refusal: &Refusal,
    caller: &Caller,
    policy: Option<&TenantPolicy>,
    pages: &PageSource,
) -> Response<ResponseBody> {
    let status = refusal.status();
    let request_id = caller.request_id.to_str().unwrap_or_default();
    let (content_type, body) = if caller.wants_page {
        let context = PageContext {
            request_id,
            tenant: policy.map(|policy| &policy.tenant),
            name: policy.and_then(|policy| policy.branding.name.as_deref()),
            logo: policy.and_then(|policy| policy.branding.logo.as_deref()),
            accent: policy.and_then(|policy| policy.branding.accent.as_deref()),
            languages: caller.languages.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default(),
        };
        ("text/html; charset=utf-8", pages.pages.render(&refusal.page(), context))
    } else if caller.surface == Surface::Wso2Api {
        ("application/json", wso2_json(refusal, request_id))
    } else {
        ("application/problem+json", problem_json(refusal, request_id))
    };
    let mut response = Response::new(ResponseBody::whole(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = refusal.challenge(policy) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Refusal::HttpsNeeded { location: Some(location) } = refusal {
        headers.insert(LOCATION, location.clone());
    }
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if caller.wants_page {
        for (name, value) in &pages.headers {
            headers.insert(name.clone(), value.clone());
        }
    }
    if let Some(policy) = policy {
        allow_origin(headers, caller.origin.as_ref(), policy);
    }
    response
}

/// The shape of API Manager's REST errors (`wso2.md` §6.2).
fn wso2_json(refusal: &Refusal, request_id: &str) -> String {
    let status = refusal.status();
    let message = match status {
        StatusCode::UNAUTHORIZED => "",
        _ => status.canonical_reason().unwrap_or_default(),
    };
    let more_info = match status {
        StatusCode::UNAUTHORIZED => String::new(),
        _ => format!("request id {request_id}"),
    };
    let error =
        Wso2Error { code: status.as_u16(), message, description: refusal.detail(), more_info, error: [] };
    serde_json::to_string(&error).unwrap_or_default()
}

/// In the order in which API Manager writes it.
#[derive(Serialize)]
struct Wso2Error {
    code: u16,
    message: &'static str,
    description: String,
    #[serde(rename = "moreInfo")]
    more_info: String,
    error: [(); 0],
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_in_url: Option<&'a str>,
}

/// RFC 9457, with two members of our own: `request_id`, and `sign_in_url` where signing in would help.
fn problem_json(refusal: &Refusal, request_id: &str) -> String {
    let status = refusal.status();
    let sign_in_url = match refusal {
        Refusal::SignInNeeded { sign_in_url } => sign_in_url.as_deref(),
        Refusal::SignInLoop { sign_in_url } => Some(sign_in_url.as_str()),
        _ => None,
    };
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail: refusal.detail(),
        request_id,
        sign_in_url,
    };
    serde_json::to_string(&problem).unwrap_or_default()
}

/// A script of an allowed origin may read our answer; nobody else's may.
fn allow_origin(headers: &mut HeaderMap, origin: Option<&HeaderValue>, policy: &TenantPolicy) -> bool {
    if policy.cors_allowed_origins.is_empty() {
        return false;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin.filter(|origin| policy.cors_allowed_origins.contains(origin)) else {
        return false;
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate, X-Request-Id"));
    true
}

/// A preflight carries no token (Fetch §4.8), so a closed tenant has to answer it itself; otherwise no allowed origin
/// could ever send the request that does carry one. `None` when this is no preflight of an allowed origin.
pub fn preflight(
    method: &Method,
    request: &HeaderMap,
    policy: &TenantPolicy,
) -> Option<Response<ResponseBody>> {
    let wanted = request.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| method == Method::OPTIONS)?;
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if !allow_origin(headers, request.get(ORIGIN), policy) {
        return None;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, wanted.clone());
    if let Some(names) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(response)
}

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
