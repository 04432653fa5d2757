//! Axum extractor for pages with a form: provides tenant policy, session and request data, and builds their responses.

use std::{sync::Arc, time::Duration};

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
    config::TenantPolicy,
    domain::{
        own_path,
        page::{PageRenderer as _, RenderContext, StatusPage},
        return_address::ReturnAddress,
        tenant::TenantId,
        time::Timestamp,
    },
    http::retry_after,
    session::{ActiveSession, CookieSecret, OwnCookie, csrf},
    web_context::{PageContext, PageRefusal},
};

/// The reason in the access log.
const STORE_UNAVAILABLE: &str = "store_unavailable";

/// A request for a page with a form. The tenant exists, and accounts are enabled.
pub struct PageRequest {
    pub state: WebState,
    pub accounts: Arc<PageServices>,
    pub context: PageContext,
    pub policy: Arc<TenantPolicy>,
    pub headers: HeaderMap,
    /// Milliseconds since the epoch.
    pub now: Timestamp,
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
                let (state, headers, now) = (state.clone(), parts.headers.clone(), state.clock.now());
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

    /// The active session of this browser, or an error page if the store is unavailable.
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

    /// Whether this request's tenant accepts users of `tenant`.
    pub fn allows_users_of(&self, tenant: &TenantId) -> bool {
        *tenant == self.policy.tenant || self.policy.access.cross_tenant.allows(tenant)
    }

    pub fn header_text(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    // ── addresses

    /// URL of an own page, with this tenant and the parameters `more` in the query.
    pub fn href(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("tenant", self.policy.tenant.as_str());
        for (name, value) in more {
            query.append_pair(name, value);
        }
        format!("{path}?{}", query.finish())
    }

    /// URL of the portal's start page for a tenant.
    pub fn start_page(&self, tenant: &TenantId) -> String {
        if tenant.is_super_tenant() {
            self.state.start_page.to_string()
        } else {
            deep_link(&self.state.start_page, tenant)
        }
    }

    // ── forms

    /// The CSRF token of a form without a session, and the `Set-Cookie` value if this browser has no form cookie yet. All
    /// tabs of a browser share one form cookie. `None`: the operating system provides no random bytes.
    pub fn form_token(&self, purpose: &str) -> Option<(String, Option<HeaderValue>)> {
        if let Some(secret) = self.form_cookie_secret() {
            return Some((csrf::token(&secret, purpose), None));
        }
        let secret = self.accounts.sessions.new_secret().ok()?;
        Some((csrf::token(&secret, purpose), OwnCookie::Form.set(&secret.value(), self.context.https)))
    }

    /// Whether an own page sent the form (CSRF protection): fetch metadata or `Origin` proves it, or the token matches the form
    /// cookie and `purpose`. The proof replaces the token because a browser that opens several tabs at once receives a cookie
    /// for each and retains only the last one, so that the tokens of the other tabs do not match.
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
            response = with_retry_after(response, retry_after::UNAVAILABLE);
        }
        response
    }

    pub fn page(&self, page: &StatusPage) -> Response<Body> {
        router::html_response(status(page.status()), self.state.pages.render(page, self.render_context()))
    }

    pub fn unavailable(&self) -> Response<Body> {
        let response = with_retry_after(self.page(&StatusPage::Unavailable), retry_after::UNAVAILABLE);
        with_reason(response, STORE_UNAVAILABLE)
    }

    pub fn form_error_page(&self, error: &FormReadError) -> Response<Body> {
        let mut response = self.page(&error.page());
        *response.status_mut() = error.status();
        response
    }

    /// Responds to a submitted form with 303 See Other, so that a reload does not submit it again.
    pub fn redirect(&self, to: &str) -> Response<Body> {
        let Ok(to) = HeaderValue::try_from(to) else { return self.page(&StatusPage::NotFound) };
        let mut response = router::html_response(StatusCode::SEE_OTHER, String::new());
        response.headers_mut().insert(header::LOCATION, to);
        response
    }
}

/// If the password was not verified, adds the reason for the access log and, where known, `Retry-After` to the response.
pub fn mark_refused(response: Response<Body>, form_error: FormError) -> Response<Body> {
    match form_error {
        FormError::Busy { retry_after: wait, cause } => {
            with_reason(with_retry_after(response, wait), cause.reason())
        }
        FormError::Unavailable => with_reason(response, STORE_UNAVAILABLE),
        _ => response,
    }
}

fn with_reason(mut response: Response<Body>, reason: &'static str) -> Response<Body> {
    response.extensions_mut().insert(PageRefusal { reason });
    response
}

fn with_retry_after(mut response: Response<Body>, wait: Duration) -> Response<Body> {
    response.headers_mut().insert(header::RETRY_AFTER, retry_after::header_value(wait));
    response
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The value of a query parameter; empty if it is missing or occurs more than once.
pub fn query_parameter(query: Option<&str>, name: &str) -> String {
    let mut values = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned());
    match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => String::new(),
    }
}

/// Parses the path to which the browser returns after sign-in. `None`: it is not a local path, or it is a page of the
/// sign-in itself, to which a redirect would loop.
pub fn return_target(written: &str) -> Option<ReturnAddress> {
    let address = ReturnAddress::parse(written)?;
    let path = address.as_str().split('?').next().unwrap_or_default();
    let is_own_page =
        path.starts_with(own_path::PREFIX) && !matches!(path, own_path::ACCOUNT | own_path::PASSWORD);
    (!is_own_page && path != own_path::CHANGE_PASSWORD).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_target_never_loops_back_to_sign_in() {
        for to in [
            "/",
            "/devportal/apis?tenant=acme.com&a=1",
            own_path::ACCOUNT,
            "/.doorward/account/password?tenant=a.b",
        ] {
            assert_eq!(return_target(to).unwrap().as_str(), to);
        }
        for circle in [
            own_path::SIGN_IN,
            own_path::SIGN_OUT,
            own_path::SIGNED_OUT,
            own_path::SESSIONS,
            "/.doorward/sign-in?to=/",
            own_path::CHANGE_PASSWORD,
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
