//! Refuses a sign-in in the format its caller expects: the portal's own page for a wrong password, a page or
//! problem of Doorward, a challenge of HTTP Basic, an error of a token endpoint.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER},
};
use serde::Serialize;

use super::{GuardedResponse, read::UnreadableLogin};
use crate::{
    config::TenantPolicy,
    domain::guard::{LoginGuard, LoginNameSource},
    http::{media_type, retry_after},
    proxy::{
        ProxyState,
        body::ResponseBody,
        challenge::redirect_to,
        refusal::{Refusal, SIGN_IN_REFUSED, TOO_MANY_SIGN_INS},
    },
    telemetry::metrics::RequestOutcome,
};

pub(super) fn unreadable(guard: &LoginGuard, problem: UnreadableLogin) -> GuardedResponse {
    // an empty field is a typing error: the portal's own page for a wrong password says so
    if problem.is_nameless
        && let Some(answer) = guard.locked_redirect.as_deref().and_then(redirect_to)
    {
        return Ok((RequestOutcome::bad_request, answer));
    }
    if guard.name_source == LoginNameSource::PasswordGrant {
        return Ok((RequestOutcome::bad_request, token_error("invalid_request", problem.detail)));
    }
    Err(Refusal::Invalid { status: problem.status, detail: problem.detail })
}

/// Delayed like the portal's response to a wrong password.
pub(super) async fn locked(state: &ProxyState, policy: &TenantPolicy, guard: &LoginGuard) -> GuardedResponse {
    tokio::time::sleep(state.login_guards.response_times.pick(&policy.tenant, guard, fastrand::usize(..)))
        .await;
    match (&guard.name_source, guard.locked_redirect.as_deref().and_then(redirect_to)) {
        (_, Some(answer)) => Ok((RequestOutcome::unauthorized, answer)),
        (LoginNameSource::PasswordGrant, None) => {
            Ok((RequestOutcome::unauthorized, token_error("invalid_grant", SIGN_IN_REFUSED)))
        }
        (user, None) => Err(Refusal::SignInRefused { basic: *user == LoginNameSource::Basic }),
    }
}

/// Too many concurrent sign-ins with one user name. The password was not checked.
pub(super) fn busy(guard: &LoginGuard, wait: Duration) -> GuardedResponse {
    if guard.name_source != LoginNameSource::PasswordGrant {
        return Err(Refusal::TooManySignIns { retry_after: wait });
    }
    let mut response = token_error("temporarily_unavailable", TOO_MANY_SIGN_INS);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(RETRY_AFTER, retry_after::header_value(wait));
    Ok((RequestOutcome::limited, response))
}

#[derive(Serialize)]
struct OAuthError {
    error: &'static str,
    error_description: &'static str,
}

/// RFC 6749 §5.2
fn token_error(error: &'static str, error_description: &'static str) -> Response<ResponseBody> {
    let body = serde_json::to_vec(&OAuthError { error, error_description }).unwrap_or_default();
    let mut response = Response::new(ResponseBody::whole(Bytes::from(body)));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
