//! Doorward's own pages as values. `proxy` selects a page, `web` renders it as HTML.

use std::sync::Arc;

use super::tenant::{RequestedTenant, TenantId};

/// A page that explains a response, with the next step for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusPage {
    /// 400, or another status below 500: the request is ambiguous or beyond a limit.
    BadRequest { status: u16, detail: &'static str },
    /// 400: the request names two different tenants.
    TenantConflict { first: RequestedTenant, second: RequestedTenant },
    /// 404: no such tenant.
    UnknownTenant { tenant: String },
    /// 401: a page that needs sign-in, where no sign-in address is configured or the request was not a navigation.
    SignInNeeded { sign_in_url: Option<String> },
    /// 401: redirected to sign-in three times within 30 s, and still not authenticated.
    SignInLoop { sign_in_url: String },
    /// 401: the access token of the request is rejected.
    TokenRefused { reason: String },
    /// 403: signed in, but the token lacks a scope.
    Forbidden { missing: Vec<String> },
    /// 403: a page of another origin opens a connection in the user's name.
    CrossOriginUpgrade,
    /// 502: the portal does not answer.
    PortalUnreachable,
    /// 504: the portal does not answer in time.
    PortalTimeout,
    /// 503: data that the check of the request needs cannot be read now.
    Unavailable,
    /// 503: a limit of all clients together is reached.
    Overloaded,
    /// 429: the client exceeds a limit.
    TooManyRequests,
    /// 401: a login at the portal that was not forwarded. The reason is not disclosed.
    SignInRefused,
    /// 404: Doorward has no page at this path.
    NotFound,
    /// 200: the session has ended.
    SignedOut { sign_in_url: String },
    /// 403: a page of another origin submits a form in the user's name.
    CrossSiteForm,
    /// 403: the CSRF token of the form has expired.
    ExpiredForm,
    /// 400: the body is not a form of Doorward.
    BadForm,
}

impl StatusPage {
    /// The status a page is sent with.
    pub const fn status(&self) -> u16 {
        match self {
            Self::SignedOut { .. } => 200,
            Self::BadRequest { status, .. } => *status,
            Self::TenantConflict { .. } | Self::BadForm => 400,
            Self::SignInNeeded { .. }
            | Self::SignInLoop { .. }
            | Self::TokenRefused { .. }
            | Self::SignInRefused => 401,
            Self::Forbidden { .. } | Self::CrossOriginUpgrade | Self::CrossSiteForm | Self::ExpiredForm => {
                403
            }
            Self::UnknownTenant { .. } | Self::NotFound => 404,
            Self::TooManyRequests => 429,
            Self::PortalUnreachable => 502,
            Self::Unavailable | Self::Overloaded => 503,
            Self::PortalTimeout => 504,
        }
    }
}

/// The data that a page needs beside its content.
#[derive(Debug, Clone, Copy)]
pub struct RenderContext<'a> {
    pub request_id: &'a str,
    /// The tenant's display name, logo and accent colour, where the tenant is known.
    pub tenant: Option<&'a TenantId>,
    pub name: Option<&'a str>,
    pub logo: Option<&'a str>,
    pub accent: Option<&'a str>,
    /// The `Accept-Language` header.
    pub languages: &'a str,
}

/// Renders pages. `web` implements it; never fails, so that an error page is always possible.
pub trait PageRenderer: Send + Sync {
    fn render(&self, page: &StatusPage, context: RenderContext<'_>) -> String;

    /// Reloads templates that an operator can replace.
    fn reload(&self) {}
}

impl<P: PageRenderer + ?Sized> PageRenderer for Arc<P> {
    fn render(&self, page: &StatusPage, context: RenderContext<'_>) -> String {
        (**self).render(page, context)
    }

    fn reload(&self) {
        (**self).reload();
    }
}
