//! Pages Doorward shows in a visitor's way, as values. `web` turns them into HTML; `proxy` only says which.

use std::sync::Arc;

use super::tenant::{NamedTenant, TenantId};

/// A page for a person, with the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// 400: the request cannot be understood in only one way.
    BadRequest { detail: &'static str },
    /// 400: the request names two different tenants.
    TenantConflict { first: NamedTenant, second: NamedTenant },
    /// 404: no such tenant.
    UnknownTenant { tenant: String },
    /// 401: a page that needs sign-in, where no sign-in address is configured or the request was not a navigation.
    SignInNeeded { sign_in_url: Option<String> },
    /// 401: sent to sign-in three times in 30 s and always came back unknown.
    SignInLoop { sign_in_url: String },
    /// 401: the access token that came with the request does not count.
    TokenRefused { reason: String },
    /// 403: signed in, but the token lacks a scope.
    Forbidden { missing: Vec<String> },
    /// 403: a page of another website opens a connection in the visitor's name.
    ForeignOrigin,
    /// 502: the portal does not answer.
    PortalDown,
    /// 504: the portal does not answer in time.
    PortalSlow,
    /// 503: data that the check of the request needs cannot be read now.
    Unavailable,
    /// 503: a limit of all clients together is reached.
    Overloaded,
    /// 429: the client asks for too much.
    TooManyRequests,
    /// 401: a sign-in of the portal's that was not let through. What was wrong is not said.
    SignInRefused,
    /// 404: nothing of ours at this address.
    NotFound,
    /// 200: the session has ended.
    SignedOut { sign_in_url: String },
    /// 403: a page of another website sends a form in the visitor's name.
    ForeignForm,
    /// 403: the form's token does not count any more.
    StaleForm,
    /// 400: what was sent is no form of ours.
    BadForm,
}

impl Page {
    /// The status a page is sent with.
    pub const fn status(&self) -> u16 {
        match self {
            Self::SignedOut { .. } => 200,
            Self::BadRequest { .. } | Self::TenantConflict { .. } | Self::BadForm => 400,
            Self::SignInNeeded { .. }
            | Self::SignInLoop { .. }
            | Self::TokenRefused { .. }
            | Self::SignInRefused => 401,
            Self::Forbidden { .. } | Self::ForeignOrigin | Self::ForeignForm | Self::StaleForm => 403,
            Self::UnknownTenant { .. } | Self::NotFound => 404,
            Self::TooManyRequests => 429,
            Self::PortalDown => 502,
            Self::Unavailable | Self::Overloaded => 503,
            Self::PortalSlow => 504,
        }
    }
}

/// What a page needs besides what it says.
#[derive(Debug, Clone, Copy)]
pub struct PageContext<'a> {
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
pub trait Pages: Send + Sync {
    fn render(&self, page: &Page, context: PageContext<'_>) -> String;

    /// Reads again what pages are made of, where an operator can replace it.
    fn reload(&self) {}
}

impl<P: Pages + ?Sized> Pages for Arc<P> {
    fn render(&self, page: &Page, context: PageContext<'_>) -> String {
        (**self).render(page, context)
    }

    fn reload(&self) {
        (**self).reload();
    }
}
