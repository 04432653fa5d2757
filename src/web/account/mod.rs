//! One's own account: who one is, and where one is signed in.

pub mod password;
mod rules;

use std::sync::Arc;

use axum::{body::Body, extract::RawQuery};
use http::{Request, Response};

use super::{
    form::Form,
    guest::{ACCOUNT, Guest, PASSWORD, SESSIONS, SIGN_IN, SIGN_OUT, parameter},
    view::{AccountView, Device, Notice, SessionRow},
};
use crate::{
    domain::{page::Page, session::SessionHash},
    session::{CookieSecret, Live, csrf},
};

const PURPOSE: &str = "sessions";

pub async fn show(guest: Guest, RawQuery(query): RawQuery) -> Response<Body> {
    let (live, secret) = match signed_in(&guest, ACCOUNT).await {
        Ok(found) => found,
        Err(elsewhere) => return elsewhere,
    };
    let account = live.account();
    let mut sessions = match guest.doors.sessions_of(&account.id, guest.now).await {
        Ok(sessions) => sessions,
        Err(error) => {
            tracing::error!(%error, "sessions cannot be listed");
            return guest.unavailable();
        }
    };
    let here = live.session.hash;
    // stable: behind this browser, the one used last comes first
    sessions.sort_by_key(|session| session.hash != here);
    let rows = sessions.iter().map(|session| SessionRow {
        id: session.hash.to_hex(),
        device: Device::parse(&session.user_agent),
        address: session.address.to_string(),
        last_seen_at: if session.hash == here { guest.now } else { session.last_seen_at },
        here: session.hash == here,
    });
    let view = AccountView {
        csrf: &csrf::token(&secret, PURPOSE),
        user: &account.username,
        name: live.user.display_name.clone(),
        email: account.email.as_deref(),
        password_changed_at: account.password_changed_at,
        sessions: rows.collect(),
        end_action: &guest.href(SESSIONS, &[]),
        password_href: &guest.href(PASSWORD, &[]),
        sign_out_href: &guest.href(SIGN_OUT, &[]),
        notice: Notice::parse(&parameter(query.as_deref(), "done")),
        now: guest.now,
    };
    guest.show(&view, None)
}

/// Ends one other session of the same account, or all others.
pub async fn end_sessions(guest: Guest, request: Request<Body>) -> Response<Body> {
    let sent = match Form::read(&guest.visit, request).await {
        Ok(sent) => sent,
        Err(why) => return guest.not_read(&why),
    };
    let (live, secret) = match signed_in(&guest, ACCOUNT).await {
        Ok(found) => found,
        Err(elsewhere) => return elsewhere,
    };
    if !csrf::is_token(&secret, PURPOSE, sent.field("csrf")) {
        return guest.page(&Page::StaleForm);
    }
    let (account, here) = (&live.account().id, &live.session.hash);
    let ended = match sent.field("session") {
        "others" => {
            guest.doors.sessions().end_all(account, Some(here), guest.now).await.map(|_| Notice::OthersEnded)
        }
        one => {
            let mine = match guest.doors.sessions_of(account, guest.now).await {
                Ok(mine) => mine,
                Err(error) => return not_ended(&guest, &error),
            };
            // only what is on one's own list can be ended
            let other = |hash: &SessionHash| hash != here && mine.iter().any(|one| one.hash == *hash);
            match SessionHash::from_hex(one).filter(other) {
                Some(hash) => guest
                    .doors
                    .end_session(&hash, guest.now)
                    .await
                    .map(|ended| if ended { Notice::SessionEnded } else { Notice::AlreadyEnded }),
                None => Ok(Notice::AlreadyEnded),
            }
        }
    };
    match ended {
        Ok(notice) => guest.go(&guest.href(ACCOUNT, &[("done", notice.word())])),
        Err(error) => not_ended(&guest, &error),
    }
}

fn not_ended(guest: &Guest, error: &dyn std::error::Error) -> Response<Body> {
    tracing::error!(%error, "a session could not be ended");
    guest.unavailable()
}

/// The session, and the secret in its cookie; or the way to sign-in and back to `path`.
async fn signed_in(guest: &Guest, path: &str) -> Result<(Arc<Live>, CookieSecret), Response<Body>> {
    match (guest.live().await?, guest.session_secret()) {
        (Some(live), Some(secret)) => Ok((live, secret)),
        _ => Err(guest.go(&guest.href(SIGN_IN, &[("to", &guest.href(path, &[]))]))),
    }
}
