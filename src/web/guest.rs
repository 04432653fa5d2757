//! What every page with a form begins with: who asks, whose portal it is, and the answers all of them can give.

use std::sync::Arc;

use axum::{body::Body, extract::FromRequestParts};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use url::form_urlencoded;

use super::{
    form::{Form, NotRead},
    router::{self, Site},
    security_headers::form_headers,
    tenants::deep_link,
    view::{Trouble, View},
};
use crate::{
    account::Doors,
    clock,
    config::TenantPolicy,
    domain::{
        page::{Page, PageContext, Pages as _},
        return_address::ReturnAddress,
        tenant::TenantId,
    },
    session::{Cookie, CookieSecret, Live, csrf},
    visit::{PageRefusal, Visit},
};

/// `Retry-After` in seconds if the store or another service does not answer.
const RETRY_UNAVAILABLE: u32 = 5;
/// The reason in the access log.
const STORE_UNAVAILABLE: &str = "store_unavailable";

pub const SIGN_IN: &str = "/.doorward/sign-in";
pub const SIGN_OUT: &str = "/.doorward/sign-out";
pub const SIGNED_OUT: &str = "/.doorward/signed-out";
pub const ACCOUNT: &str = "/.doorward/account";
pub const SESSIONS: &str = "/.doorward/account/sessions";
pub const PASSWORD: &str = "/.doorward/account/password";

/// Somebody who asks for a page with a form, of a tenant that exists, where accounts are on.
pub struct Guest {
    pub site: Site,
    pub doors: Doors,
    pub visit: Visit,
    pub policy: Arc<TenantPolicy>,
    pub headers: HeaderMap,
    /// Milliseconds since the epoch.
    pub now: u64,
}

impl FromRequestParts<Site> for Guest {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Self::Rejection> {
        let Some(doors) = site.doors.clone() else {
            return Err(router::missing(site, &parts.headers));
        };
        let visit = parts.extensions.get::<Visit>().cloned();
        let page = match visit.map(|visit| (visit.tenant.clone(), visit)) {
            Some((Ok(policy), visit)) => {
                let (site, headers, now) = (site.clone(), parts.headers.clone(), clock::millis());
                return Ok(Self { site, doors, visit, policy, headers, now });
            }
            Some((Err(page), _)) => page,
            None => Page::Unavailable,
        };
        Err(router::page(status(page.status()), site.pages.render(&page, router::context(&parts.headers))))
    }
}

impl Guest {
    // ── who asks

    /// The session of this browser, if it is alive; or the page that says that nobody can tell now.
    pub async fn live(&self) -> Result<Option<Arc<Live>>, Response<Body>> {
        let found = self.doors.sessions().of_request(&self.headers, self.visit.https, self.now).await;
        found.map_err(|_| self.unavailable())
    }

    pub fn session_secret(&self) -> Option<CookieSecret> {
        self.doors.sessions().secret(&self.headers, self.visit.https)
    }

    fn form_secret(&self) -> Option<CookieSecret> {
        Cookie::Form.read(&self.headers, self.visit.https).and_then(CookieSecret::parse)
    }

    /// Whether the tenant lets its portal be seen by users of `tenant`.
    pub fn welcomes(&self, tenant: &TenantId) -> bool {
        *tenant == self.policy.tenant || self.policy.cross_tenant.welcomes(tenant)
    }

    pub fn text(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    // ── where to

    /// One of our own pages, for this tenant.
    pub fn href(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("tenant", self.policy.tenant.as_str());
        for (name, value) in more {
            query.append_pair(name, value);
        }
        format!("{path}?{}", query.finish())
    }

    /// The portal's page a tenant's visitors begin at.
    pub fn start(&self, tenant: &TenantId) -> String {
        if tenant.is_super_tenant() {
            self.site.start.to_string()
        } else {
            deep_link(&self.site.start, tenant)
        }
    }

    // ── forms

    /// The token of a form before there is a session, and the cookie it belongs to, where this browser has none yet. All
    /// tabs share one. `None`: the system has no random numbers.
    pub fn form_token(&self, purpose: &str) -> Option<(String, Option<HeaderValue>)> {
        if let Some(secret) = self.form_secret() {
            return Some((csrf::token(&secret, purpose), None));
        }
        let secret = self.doors.sessions().new_secret().ok()?;
        Some((csrf::token(&secret, purpose), Cookie::Form.set(&secret.value(), self.visit.https)))
    }

    /// Whether a form was shown to this browser, and is the one it says. Tabs that a browser opens at the same moment each
    /// get a cookie of their own, of which it keeps the last: where the browser itself vouches for our page, no token is
    /// needed.
    pub fn is_own_form(&self, purpose: &str, form: &Form) -> bool {
        let fits = |secret| csrf::is_token(&secret, purpose, form.field("csrf"));
        form.is_vouched_for() || self.form_secret().is_some_and(fits)
    }

    // ── answers

    fn context(&self) -> PageContext<'_> {
        let branding = &self.policy.branding;
        PageContext {
            tenant: Some(&self.policy.tenant),
            name: branding.name.as_deref(),
            logo: branding.logo.as_deref(),
            accent: branding.accent.as_deref(),
            ..router::context(&self.headers)
        }
    }

    pub fn show(&self, view: &dyn View, cookie: Option<HeaderValue>) -> Response<Body> {
        let code = view.trouble().map_or(200, Trouble::status);
        let mut response = router::page(status(code), self.site.pages.show(view, self.context()));
        let headers = response.headers_mut();
        for (name, value) in form_headers() {
            headers.insert(name, value);
        }
        headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
        if code == 503 {
            response = retry_after(response, RETRY_UNAVAILABLE);
        }
        response
    }

    pub fn page(&self, page: &Page) -> Response<Body> {
        router::page(status(page.status()), self.site.pages.render(page, self.context()))
    }

    pub fn unavailable(&self) -> Response<Body> {
        with_reason(retry_after(self.page(&Page::Unavailable), RETRY_UNAVAILABLE), STORE_UNAVAILABLE)
    }

    pub fn not_read(&self, why: &NotRead) -> Response<Body> {
        let mut response = self.page(&why.page());
        *response.status_mut() = why.status();
        response
    }

    /// "Go there": after a form was sent, so that a reload does not send it again.
    pub fn go(&self, to: &str) -> Response<Body> {
        let Ok(to) = HeaderValue::try_from(to) else { return self.page(&Page::NotFound) };
        let mut response = router::page(StatusCode::SEE_OTHER, String::new());
        response.headers_mut().insert(header::LOCATION, to);
        response
    }
}

/// Adds to the form why the password was not verified: a reason for the access log, and `Retry-After`.
pub fn mark_refused(response: Response<Body>, trouble: Trouble) -> Response<Body> {
    match trouble {
        Trouble::Busy { seconds, cause } => with_reason(retry_after(response, seconds), cause.reason()),
        Trouble::Unavailable => with_reason(response, STORE_UNAVAILABLE),
        _ => response,
    }
}

fn with_reason(mut response: Response<Body>, reason: &'static str) -> Response<Body> {
    response.extensions_mut().insert(PageRefusal { reason });
    response
}

fn retry_after(mut response: Response<Body>, seconds: u32) -> Response<Body> {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The value of a parameter of the address; empty where it is missing or there twice.
pub fn parameter(query: Option<&str>, name: &str) -> String {
    let mut values = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned());
    match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => String::new(),
    }
}

/// An address to go on to: a path of ours or the portal's that does not lead back to the door.
pub fn target(written: &str) -> Option<ReturnAddress> {
    let address = ReturnAddress::parse(written)?;
    let path = address.as_str().split('?').next().unwrap_or_default();
    let circles = path.starts_with("/.doorward/") && !matches!(path, ACCOUNT | PASSWORD);
    (!circles && path != "/.well-known/change-password").then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_leads_to_the_portal_or_to_the_account_and_never_in_a_circle() {
        for to in
            ["/", "/devportal/apis?tenant=acme.com&a=1", ACCOUNT, "/.doorward/account/password?tenant=a.b"]
        {
            assert_eq!(target(to).unwrap().as_str(), to);
        }
        for circle in [
            SIGN_IN,
            SIGN_OUT,
            SIGNED_OUT,
            SESSIONS,
            "/.doorward/sign-in?to=/",
            "/.well-known/change-password",
        ] {
            assert_eq!(target(circle), None, "{circle}");
        }
    }

    #[test]
    fn attack_open_redirect_by_return_address() {
        for hostile in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(target(hostile), None, "{hostile:?}");
        }
    }

    #[test]
    fn a_parameter_that_is_there_twice_says_nothing() {
        for (query, value) in [
            (None, ""),
            (Some("to=%2Fa%3Fb"), "/a?b"),
            (Some("x=1&to=/a&y"), "/a"),
            (Some("to=/a&to=/b"), ""),
            (Some("too=/a"), ""),
        ] {
            assert_eq!(parameter(query, "to"), value, "{query:?}");
        }
    }
}
