//! The account page: profile and sessions of the signed-in user.

pub mod password;
mod rules;

use std::sync::Arc;

use axum::{body::Body, extract::RawQuery};
use http::{Request, Response};

use super::{
    form::Form,
    page_request::{PageRequest, query_parameter},
    view::{AccountView, Device, Notice, SessionRow},
};
use crate::{
    domain::{own_path, page::StatusPage, session::SessionHash},
    session::{ActiveSession, CookieSecret, csrf},
};

const CSRF_PURPOSE: &str = "sessions";

pub async fn show(request: PageRequest, RawQuery(query): RawQuery) -> Response<Body> {
    let (live, secret) = match require_session(&request, own_path::ACCOUNT).await {
        Ok(found) => found,
        Err(redirect) => return redirect,
    };
    let account = live.account();
    let mut sessions = match request.accounts.sessions.list(&account.id, request.now).await {
        Ok(sessions) => sessions,
        Err(error) => {
            tracing::error!(%error, "failed to list sessions");
            return request.unavailable();
        }
    };
    let current_session = live.session.hash;
    // stable sort: after this browser's session, the one used last comes first
    sessions.sort_by_key(|session| session.hash != current_session);
    let rows = sessions.iter().map(|session| SessionRow {
        id: session.hash.to_hex(),
        device: Device::parse(&session.user_agent),
        address: session.address.to_string(),
        last_seen_at: if session.hash == current_session { request.now } else { session.last_seen_at },
        current_session: session.hash == current_session,
    });
    let view = AccountView {
        csrf: &csrf::token(&secret, CSRF_PURPOSE),
        user: &account.username,
        name: live.user.display_name.clone(),
        email: account.email.as_deref(),
        password_changed_at: account.password_changed_at,
        sessions: rows.collect(),
        end_action: &request.href(own_path::SESSIONS, &[]),
        password_href: &request.href(own_path::PASSWORD, &[]),
        sign_out_href: &request.href(own_path::SIGN_OUT, &[]),
        notice: Notice::parse(&query_parameter(query.as_deref(), "done")),
        now: request.now,
    };
    request.form_page(&view, None)
}

/// Ends one other session of the same account, or all others.
pub async fn end_sessions(page_request: PageRequest, request: Request<Body>) -> Response<Body> {
    let form = match Form::read(&page_request.context, request).await {
        Ok(form) => form,
        Err(read_error) => return page_request.form_error_page(&read_error),
    };
    let (live, secret) = match require_session(&page_request, own_path::ACCOUNT).await {
        Ok(found) => found,
        Err(redirect) => return redirect,
    };
    if !csrf::is_token(&secret, CSRF_PURPOSE, form.field("csrf")) {
        return page_request.page(&StatusPage::ExpiredForm);
    }
    let (account, current_session) = (&live.account().id, &live.session.hash);
    let ended = match form.field("session") {
        "others" => page_request
            .accounts
            .sessions
            .end_all(account, Some(current_session), page_request.now)
            .await
            .map(|_| Notice::OthersEnded),
        one => {
            let own_sessions = match page_request.accounts.sessions.list(account, page_request.now).await {
                Ok(own_sessions) => own_sessions,
                Err(error) => return end_failed(&page_request, &error),
            };
            // only sessions of the same account can be ended
            let other = |hash: &SessionHash| {
                hash != current_session && own_sessions.iter().any(|one| one.hash == *hash)
            };
            match SessionHash::from_hex(one).filter(other) {
                Some(hash) => page_request
                    .accounts
                    .sessions
                    .end(&hash, page_request.now)
                    .await
                    .map(|ended| if ended { Notice::SessionEnded } else { Notice::AlreadyEnded }),
                None => Ok(Notice::AlreadyEnded),
            }
        }
    };
    match ended {
        Ok(notice) => {
            page_request.redirect(&page_request.href(own_path::ACCOUNT, &[("done", notice.word())]))
        }
        Err(error) => end_failed(&page_request, &error),
    }
}

fn end_failed(request: &PageRequest, error: &dyn std::error::Error) -> Response<Body> {
    tracing::error!(%error, "failed to end session");
    request.unavailable()
}

/// The session and its cookie secret; or a redirect to sign-in that returns to `path`.
async fn require_session(
    request: &PageRequest,
    path: &str,
) -> Result<(Arc<ActiveSession>, CookieSecret), Response<Body>> {
    match (request.current_session().await?, request.session_secret()) {
        (Some(live), Some(secret)) => Ok((live, secret)),
        _ => Err(request.redirect(&request.href(own_path::SIGN_IN, &[("to", &request.href(path, &[]))]))),
    }
}
