//! Signing out: asked for once, by a form, so that no link and no other website can do it.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, Response, header};

use super::{
    form::Form,
    guest::{ACCOUNT, Guest, SIGN_IN, SIGN_OUT, SIGNED_OUT},
    view::SignOutView,
};
use crate::{
    domain::page::Page,
    session::{Cookie, csrf, hash_of},
};

const PURPOSE: &str = "sign-out";

/// What others might read from this computer afterwards. Cookies and storage are the portal's own business.
const CLEAR_SITE_DATA: (HeaderName, HeaderValue) =
    (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));

pub async fn ask(guest: Guest) -> Response<Body> {
    let live = match guest.live().await {
        Ok(live) => live,
        Err(unavailable) => return unavailable,
    };
    let (Some(live), Some(secret)) = (live, guest.session_secret()) else {
        return guest.go(&guest.href(SIGNED_OUT, &[]));
    };
    let view = SignOutView {
        action: &guest.href(SIGN_OUT, &[]),
        csrf: &csrf::token(&secret, PURPOSE),
        user: &live.user.name,
    };
    guest.show(&view, None)
}

pub async fn submit(guest: Guest, request: Request<Body>) -> Response<Body> {
    let sent = match Form::read(&guest.visit, request).await {
        Ok(sent) => sent,
        Err(why) => return guest.not_read(&why),
    };
    // whoever has no session any more is where they wanted to be
    if let Some(secret) = guest.session_secret() {
        if !csrf::is_token(&secret, PURPOSE, sent.field("csrf")) {
            return guest.page(&Page::StaleForm);
        }
        if let Err(error) = guest.doors.end_session(&hash_of(&secret), guest.now).await {
            tracing::error!(%error, "a session could not be ended");
            return guest.unavailable();
        }
    }
    let mut response = guest.go(&guest.href(SIGNED_OUT, &[]));
    let headers = response.headers_mut();
    headers.extend(Cookie::Session.clear(guest.visit.https).map(|cookie| (header::SET_COOKIE, cookie)));
    headers.extend(guest.visit.https.then_some(CLEAR_SITE_DATA));
    response
}

/// Where signing out leads.
pub async fn done(guest: Guest) -> Response<Body> {
    match guest.live().await {
        Ok(None) => guest.page(&Page::SignedOut { sign_in_url: guest.href(SIGN_IN, &[]) }),
        Ok(Some(_)) => guest.go(&guest.href(ACCOUNT, &[])),
        Err(unavailable) => unavailable,
    }
}
