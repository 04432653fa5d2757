//! Responses to refused requests in the format of the caller: a page for browsers, WSO2's JSON for WSO2's
//! APIs, `application/problem+json` (RFC 9457) for all others.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use super::{body::ResponseBody, cors::allow_origin, overload::Overload};
use crate::{
    config::TenantPolicy,
    domain::{
        fairness::Limit,
        page::{PageRenderer, RenderContext, StatusPage},
        route::RouteKind,
        tenant::RequestedTenant,
    },
    http::{
        media_type,
        problem::{self, ProblemDetails},
        retry_after,
        www_authenticate::{self, BearerError},
    },
    telemetry::metrics::RequestOutcome,
    token::TokenError,
};

/// Why Doorward responds itself instead of forwarding the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    BadRequest(&'static str),
    /// The request is ambiguous or invalid (`validation`).
    Invalid {
        status: StatusCode,
        detail: &'static str,
    },
    /// The request arrived in clear text, and HTTPS is required.
    HttpsNeeded {
        location: Option<HeaderValue>,
    },
    TenantConflict(RequestedTenant, RequestedTenant),
    UnknownTenant(String),
    /// No credential was sent, and one is required.
    SignInNeeded {
        sign_in_url: Option<String>,
    },
    SignInLoop {
        sign_in_url: String,
    },
    /// The credential is not valid.
    BadToken(TokenError),
    /// The login guard rejects a sign-in at the portal: its user name or address is locked. The response does not say which.
    SignInRefused {
        basic: bool,
    },
    /// Too many concurrent sign-ins with one user name at the portal.
    TooManySignIns {
        retry_after: Duration,
    },
    /// A WebSocket request from a page of another origin.
    ForeignOrigin,
    /// A WebSocket request on a route without upgrades.
    UpgradeRefused,
    /// The account store does not answer.
    StoreUnavailable,
    PortalDown,
    PortalSlow,
    /// The limits of the process are reached.
    Overloaded(Overload),
    /// A limit of this client is reached.
    ClientLimit {
        limit: Limit,
        retry_after: Duration,
    },
}

/// The same sentence for a wrong password, an unknown name and a locked one.
pub const SIGN_IN_REFUSED: &str =
    "The user name or the password is not right, or there were too many attempts: wait a few minutes";

const HTTPS_NEEDED: &str = "this server accepts HTTPS only";
pub const TOO_MANY_SIGN_INS: &str = "Too many sign-ins with this user name at once";

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Error pages and the headers sent with each of them.
pub struct PageSource {
    pub pages: Arc<dyn PageRenderer>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Properties of the request head that determine the format of a response.
#[derive(Debug, Clone)]
pub struct ResponseContext {
    pub wants_page: bool,
    pub route_kind: RouteKind,
    /// `Origin`
    pub origin: Option<HeaderValue>,
    /// `Accept-Language`
    pub languages: Option<HeaderValue>,
    pub request_id: HeaderValue,
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::TenantConflict(..) => StatusCode::BAD_REQUEST,
            Self::Invalid { status, .. } => *status,
            Self::HttpsNeeded { location: Some(_) } => StatusCode::PERMANENT_REDIRECT,
            Self::UnknownTenant(_) => StatusCode::NOT_FOUND,
            Self::HttpsNeeded { location: None }
            | Self::BadToken(TokenError::MissingScope { .. })
            | Self::ForeignOrigin
            | Self::UpgradeRefused => StatusCode::FORBIDDEN,
            Self::BadToken(TokenError::Unavailable) | Self::StoreUnavailable | Self::Overloaded(_) => {
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

    /// Whether the request is refused whichever component its path belongs to: it is malformed, or in cleartext.
    pub const fn is_before_routing(&self) -> bool {
        matches!(self, Self::Invalid { .. } | Self::HttpsNeeded { .. })
    }

    /// The value of `reason` in the access log.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) | Self::Invalid { .. } => "bad_request",
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
            Self::StoreUnavailable => "store_unavailable",
            Self::PortalDown => "portal_down",
            Self::PortalSlow => "portal_slow",
            Self::Overloaded(cause) => cause.reason(),
            Self::ClientLimit { limit, .. } => limit.reason(),
        }
    }

    /// The `outcome` label it is counted under.
    pub fn outcome(&self) -> RequestOutcome {
        match self {
            Self::UnknownTenant(_) => RequestOutcome::unknown_tenant,
            Self::HttpsNeeded { location: Some(_) } => RequestOutcome::local,
            Self::PortalDown | Self::PortalSlow => RequestOutcome::portal_error,
            _ => match self.status() {
                StatusCode::UNAUTHORIZED => RequestOutcome::unauthorized,
                StatusCode::FORBIDDEN => RequestOutcome::forbidden,
                StatusCode::SERVICE_UNAVAILABLE => RequestOutcome::unavailable,
                StatusCode::TOO_MANY_REQUESTS => RequestOutcome::limited,
                _ => RequestOutcome::bad_request,
            },
        }
    }

    pub fn detail(&self) -> String {
        match self {
            Self::BadRequest(detail) | Self::Invalid { detail, .. } => (*detail).to_owned(),
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
            Self::StoreUnavailable => "Accounts and sessions are not available at the moment".to_owned(),
            Self::PortalDown => "The portal does not answer".to_owned(),
            Self::PortalSlow => "The portal does not answer in time".to_owned(),
            Self::Overloaded(_) => "Too many requests at once".to_owned(),
            Self::ClientLimit { limit, .. } => limit.detail().to_owned(),
        }
    }

    pub fn page(&self) -> StatusPage {
        match self.clone() {
            Self::BadRequest(detail) | Self::Invalid { detail, .. } => {
                StatusPage::BadRequest { status: self.status().as_u16(), detail }
            }
            Self::HttpsNeeded { .. } => {
                StatusPage::BadRequest { status: self.status().as_u16(), detail: HTTPS_NEEDED }
            }
            Self::TenantConflict(first, second) => StatusPage::TenantConflict { first, second },
            Self::UnknownTenant(tenant) => StatusPage::UnknownTenant { tenant },
            Self::SignInNeeded { sign_in_url } => StatusPage::SignInNeeded { sign_in_url },
            Self::SignInLoop { sign_in_url } => StatusPage::SignInLoop { sign_in_url },
            Self::BadToken(TokenError::MissingScope { required }) => {
                StatusPage::Forbidden { missing: required }
            }
            Self::Overloaded(cause) => cause.page(),
            Self::BadToken(TokenError::Unavailable) | Self::StoreUnavailable => StatusPage::Unavailable,
            Self::BadToken(error) => StatusPage::TokenRefused { reason: error.to_string() },
            Self::SignInRefused { .. } => StatusPage::SignInRefused,
            Self::ForeignOrigin => StatusPage::CrossOriginUpgrade,
            Self::ClientLimit { .. } | Self::TooManySignIns { .. } => StatusPage::TooManyRequests,
            // never a page: a WebSocket is no navigation
            Self::UpgradeRefused => StatusPage::Forbidden { missing: Vec::new() },
            Self::PortalDown => StatusPage::PortalUnreachable,
            Self::PortalSlow => StatusPage::PortalTimeout,
        }
    }

    /// `Retry-After`, if a retry makes sense.
    pub fn retry_after(&self) -> Option<HeaderValue> {
        let wait = match self {
            Self::ClientLimit { retry_after, .. } | Self::TooManySignIns { retry_after } => *retry_after,
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => retry_after::UNAVAILABLE,
            _ => return None,
        };
        Some(retry_after::header_value(wait))
    }

    fn challenge(&self, tenant: Option<&TenantPolicy>) -> Option<HeaderValue> {
        let realm = tenant.map_or(www_authenticate::REALM, |policy| policy.tenant.as_str());
        let error = match self {
            Self::SignInNeeded { .. } | Self::SignInLoop { .. } | Self::SignInRefused { basic: false } => {
                return www_authenticate::bearer(realm, None);
            }
            Self::SignInRefused { basic: true } => return www_authenticate::basic(realm),
            Self::BadToken(TokenError::MissingScope { required }) => {
                let scope = required.join(" ");
                return www_authenticate::bearer(realm, Some(BearerError::InsufficientScope(&scope)));
            }
            Self::BadToken(TokenError::Unavailable) => return None,
            Self::BadToken(error) => error,
            _ => return None,
        };
        www_authenticate::bearer(realm, Some(BearerError::InvalidToken(error)))
    }
}

/// The whole response, but for the request id that every response gets.
pub fn render_refusal(
    refusal: &Refusal,
    response_context: &ResponseContext,
    policy: Option<&TenantPolicy>,
    pages: &PageSource,
) -> Response<ResponseBody> {
    let status = refusal.status();
    let request_id = response_context.request_id.to_str().unwrap_or_default();
    let (content_type, body) = if response_context.wants_page {
        let page_context = RenderContext {
            request_id,
            tenant: policy.map(|policy| &policy.tenant),
            name: policy.and_then(|policy| policy.branding.name.as_deref()),
            logo: policy.and_then(|policy| policy.branding.logo.as_deref()),
            accent: policy.and_then(|policy| policy.branding.accent.as_deref()),
            languages: response_context
                .languages
                .as_ref()
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default(),
        };
        ("text/html; charset=utf-8", pages.pages.render(&refusal.page(), page_context))
    } else if response_context.route_kind == RouteKind::Wso2Api {
        (media_type::JSON, wso2_json(refusal, request_id))
    } else {
        (problem::CONTENT_TYPE, problem_json(refusal, request_id))
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
    if let Some(wait) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, wait);
    }
    if response_context.wants_page {
        for (name, value) in &pages.headers {
            headers.insert(name.clone(), value.clone());
        }
    }
    if let Some(policy) = policy {
        allow_origin(headers, response_context.origin.as_ref(), policy);
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

/// RFC 9457.
fn problem_json(refusal: &Refusal, request_id: &str) -> String {
    let sign_in_url = match refusal {
        Refusal::SignInNeeded { sign_in_url } => sign_in_url.as_deref(),
        Refusal::SignInLoop { sign_in_url } => Some(sign_in_url.as_str()),
        _ => None,
    };
    let detail = refusal.detail();
    ProblemDetails::new(refusal.status(), &detail, request_id).with_sign_in_url(sign_in_url).to_json()
}
