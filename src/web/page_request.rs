//! Extractor of pages with a form: tenant policy, session and request data, and the responses that they share.

use std::sync::Arc;

use axum::{body::Body, extract::FromRequestParts};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use url::form_urlencoded;

use super::{
    form::{Form, FormReadError},
    router::{self, PageServices, WebState},
    security_headers::form_headers,
    tenant_list::deep_link,
    view::{FormError, FormView},
};
use crate::{
    clock,
    config::TenantPolicy,
    domain::{
        page::{PageRenderer as _, RenderContext, StatusPage},
        return_address::ReturnAddress,
        tenant::TenantId,
    },
    session::{ActiveSession, CookieSecret, OwnCookie, csrf},
    web_context::{PageContext, PageRefusal},
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

/// A request for a page with a form, of a tenant that exists, with accounts enabled.
pub struct PageRequest {
    pub state: WebState,
    pub accounts: Arc<PageServices>,
    pub context: PageContext,
    pub policy: Arc<TenantPolicy>,
    pub headers: HeaderMap,
    /// Milliseconds since the epoch.
    pub now: u64,
}

impl FromRequestParts<WebState> for PageRequest {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Self::Rejection> {
        let Some(accounts) = state.accounts.clone() else {
            return Err(router::not_found_response(state, &parts.headers));
        };
        let context = parts.extensions.get::<PageContext>().cloned();
        let page = match context.map(|context| (context.tenant.clone(), context)) {
            Some((Ok(policy), context)) => {
                let (state, headers, now) = (state.clone(), parts.headers.clone(), clock::unix_millis());
                return Ok(Self { state, accounts, context, policy, headers, now });
            }
            Some((Err(page), _)) => page,
            None => StatusPage::Unavailable,
        };
        Err(router::html_response(
            status(page.status()),
            state.pages.render(&page, router::render_context(&parts.headers)),
        ))
    }
}

impl PageRequest {
    // ── session

    /// The session of this browser, if it is alive; or an error page if the store is unavailable.
    pub async fn current_session(&self) -> Result<Option<Arc<ActiveSession>>, Response<Body>> {
        let found =
            self.accounts.sessions.find_for_request(&self.headers, self.context.https, self.now).await;
        found.map_err(|_| self.unavailable())
    }

    pub fn session_secret(&self) -> Option<CookieSecret> {
        self.accounts.sessions.secret(&self.headers, self.context.https)
    }

    fn form_cookie_secret(&self) -> Option<CookieSecret> {
        OwnCookie::Form.read(&self.headers, self.context.https).and_then(CookieSecret::parse)
    }

    /// Whether the tenant accepts users of `tenant`.
    pub fn allows_users_of(&self, tenant: &TenantId) -> bool {
        *tenant == self.policy.tenant || self.policy.access.cross_tenant.allows(tenant)
    }

    pub fn header_text(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    // ── addresses

    /// One of our own pages, for this tenant.
    pub fn href(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("tenant", self.policy.tenant.as_str());
        for (name, value) in more {
            query.append_pair(name, value);
        }
        format!("{path}?{}", query.finish())
    }

    /// The portal's start page of a tenant.
    pub fn start_page(&self, tenant: &TenantId) -> String {
        if tenant.is_super_tenant() {
            self.state.start_page.to_string()
        } else {
            deep_link(&self.state.start_page, tenant)
        }
    }

    // ── forms

    /// The token of a form before there is a session, and the cookie it belongs to, where this browser has none yet. All
    /// tabs share one. `None`: the system has no random numbers.
    pub fn form_token(&self, purpose: &str) -> Option<(String, Option<HeaderValue>)> {
        if let Some(secret) = self.form_cookie_secret() {
            return Some((csrf::token(&secret, purpose), None));
        }
        let secret = self.accounts.sessions.new_secret().ok()?;
        Some((csrf::token(&secret, purpose), OwnCookie::Form.set(&secret.value(), self.context.https)))
    }

    /// Whether a form was shown to this browser, and is the one it says. Tabs that a browser opens at the same moment each
    /// get a cookie of their own, of which it keeps the last: where fetch metadata proves the own origin, no token is
    /// needed.
    pub fn is_own_form(&self, purpose: &str, form: &Form) -> bool {
        let fits = |secret| csrf::is_token(&secret, purpose, form.field("csrf"));
        form.is_from_own_page() || self.form_cookie_secret().is_some_and(fits)
    }

    // ── responses

    fn render_context(&self) -> RenderContext<'_> {
        let branding = &self.policy.branding;
        RenderContext {
            tenant: Some(&self.policy.tenant),
            name: branding.name.as_deref(),
            logo: branding.logo.as_deref(),
            accent: branding.accent.as_deref(),
            ..router::render_context(&self.headers)
        }
    }

    pub fn form_page(&self, view: &dyn FormView, cookie: Option<HeaderValue>) -> Response<Body> {
        let code = view.error().map_or(200, FormError::status);
        let mut response =
            router::html_response(status(code), self.state.pages.render_form(view, self.render_context()));
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

    pub fn page(&self, page: &StatusPage) -> Response<Body> {
        router::html_response(status(page.status()), self.state.pages.render(page, self.render_context()))
    }

    pub fn unavailable(&self) -> Response<Body> {
        with_reason(retry_after(self.page(&StatusPage::Unavailable), RETRY_UNAVAILABLE), STORE_UNAVAILABLE)
    }

    pub fn form_error_page(&self, error: &FormReadError) -> Response<Body> {
        let mut response = self.page(&error.page());
        *response.status_mut() = error.status();
        response
    }

    /// 303 See Other: after a form was sent, so that a reload does not send it again.
    pub fn redirect(&self, to: &str) -> Response<Body> {
        let Ok(to) = HeaderValue::try_from(to) else { return self.page(&StatusPage::NotFound) };
        let mut response = router::html_response(StatusCode::SEE_OTHER, String::new());
        response.headers_mut().insert(header::LOCATION, to);
        response
    }
}

/// Adds to the form why the password was not verified: a reason for the access log, and `Retry-After`.
pub fn mark_refused(response: Response<Body>, form_error: FormError) -> Response<Body> {
    match form_error {
        FormError::Busy { seconds, cause } => with_reason(retry_after(response, seconds), cause.reason()),
        FormError::Unavailable => with_reason(response, STORE_UNAVAILABLE),
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
pub fn query_parameter(query: Option<&str>, name: &str) -> String {
    let mut values = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned());
    match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => String::new(),
    }
}

/// A return address: a path of Doorward or the portal that does not lead back to sign-in.
pub fn return_target(written: &str) -> Option<ReturnAddress> {
    let address = ReturnAddress::parse(written)?;
    let path = address.as_str().split('?').next().unwrap_or_default();
    let is_own_page = path.starts_with("/.doorward/") && !matches!(path, ACCOUNT | PASSWORD);
    (!is_own_page && path != "/.well-known/change-password").then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_target_never_loops_back_to_sign_in() {
        for to in
            ["/", "/devportal/apis?tenant=acme.com&a=1", ACCOUNT, "/.doorward/account/password?tenant=a.b"]
        {
            assert_eq!(return_target(to).unwrap().as_str(), to);
        }
        for circle in [
            SIGN_IN,
            SIGN_OUT,
            SIGNED_OUT,
            SESSIONS,
            "/.doorward/sign-in?to=/",
            "/.well-known/change-password",
        ] {
            assert_eq!(return_target(circle), None, "{circle}");
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
            assert_eq!(return_target(hostile), None, "{hostile:?}");
        }
    }

    #[test]
    fn duplicate_parameter_is_ignored() {
        for (query, value) in [
            (None, ""),
            (Some("to=%2Fa%3Fb"), "/a?b"),
            (Some("x=1&to=/a&y"), "/a"),
            (Some("to=/a&to=/b"), ""),
            (Some("too=/a"), ""),
        ] {
            assert_eq!(query_parameter(query, "to"), value, "{query:?}");
        }
    }
}
