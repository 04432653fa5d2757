//! Sign-out by a form with a CSRF token, so that no link and no other site can trigger it.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, Response, header};

use super::{form::Form, page_request::PageRequest, view::SignOutView};
use crate::{
    domain::{own_path, page::StatusPage},
    session::{OwnCookie, csrf, hash_of},
};

const CSRF_PURPOSE: &str = "sign-out";

/// Clears the browser cache for later users of the device. Cookies and storage belong to the portal.
const CLEAR_SITE_DATA: (HeaderName, HeaderValue) =
    (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));

pub async fn show_confirmation(request: PageRequest) -> Response<Body> {
    let live = match request.current_session().await {
        Ok(live) => live,
        Err(unavailable) => return unavailable,
    };
    let (Some(live), Some(secret)) = (live, request.session_secret()) else {
        return request.redirect(&request.href(own_path::SIGNED_OUT, &[]));
    };
    let view = SignOutView {
        action: &request.href(own_path::SIGN_OUT, &[]),
        csrf: &csrf::token(&secret, CSRF_PURPOSE),
        user: &live.user.name,
    };
    request.form_page(&view, None)
}

pub async fn submit(page_request: PageRequest, request: Request<Body>) -> Response<Body> {
    let form = match Form::read(&page_request.context, request).await {
        Ok(form) => form,
        Err(read_error) => return page_request.form_error_page(&read_error),
    };
    // without a session there is nothing to end
    if let Some(secret) = page_request.session_secret() {
        if !csrf::is_token(&secret, CSRF_PURPOSE, form.field("csrf")) {
            return page_request.page(&StatusPage::ExpiredForm);
        }
        if let Err(error) = page_request.accounts.sessions.end(&hash_of(&secret), page_request.now).await {
            tracing::error!(%error, "failed to end session");
            return page_request.unavailable();
        }
    }
    let mut response = page_request.redirect(&page_request.href(own_path::SIGNED_OUT, &[]));
    let headers = response.headers_mut();
    headers.extend(
        OwnCookie::Session.clear(page_request.context.https).map(|cookie| (header::SET_COOKIE, cookie)),
    );
    headers.extend(page_request.context.https.then_some(CLEAR_SITE_DATA));
    response
}

/// The page after sign-out.
pub async fn show_signed_out(request: PageRequest) -> Response<Body> {
    match request.current_session().await {
        Ok(None) => {
            request.page(&StatusPage::SignedOut { sign_in_url: request.href(own_path::SIGN_IN, &[]) })
        }
        Ok(Some(_)) => request.redirect(&request.href(own_path::ACCOUNT, &[])),
        Err(unavailable) => unavailable,
    }
}
