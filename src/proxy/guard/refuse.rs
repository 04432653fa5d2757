//! A sign-in that is not let through, said as its caller expects it: the portal's own page for a wrong password, a page or
//! problem of ours, a challenge of HTTP Basic, an error of a token endpoint.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER},
};
use serde::Serialize;

use super::read::Problem;
use crate::{
    config::TenantPolicy,
    domain::guard::{Guard, UserIn},
    proxy::{
        Gate,
        answer::{Refusal, SIGN_IN_REFUSED, TOO_MANY_SIGN_INS},
        body::ResponseBody,
        sign_in::redirect,
    },
    telemetry::metrics::Outcome,
};

type Refused = Result<(Outcome, Response<ResponseBody>), Refusal>;

pub(super) fn doubtful(guard: &Guard, problem: Problem) -> Refused {
    // an empty field is a typing error: the portal's own page for a wrong password says so
    if problem.is_nameless
        && let Some(answer) = guard.locked_redirect.as_deref().and_then(redirect)
    {
        return Ok((Outcome::bad_request, answer));
    }
    if guard.user == UserIn::PasswordGrant {
        return Ok((Outcome::bad_request, token_error("invalid_request", problem.detail)));
    }
    Err(Refusal::Unclear { status: problem.status, detail: problem.detail })
}

/// As late as the portal answers a wrong password.
pub(super) async fn locked(gate: &Gate, policy: &TenantPolicy, guard: &Guard) -> Refused {
    tokio::time::sleep(gate.guards.paces.pick(&policy.tenant, guard, fastrand::usize(..))).await;
    match (&guard.user, guard.locked_redirect.as_deref().and_then(redirect)) {
        (_, Some(answer)) => Ok((Outcome::unauthorized, answer)),
        (UserIn::PasswordGrant, None) => {
            Ok((Outcome::unauthorized, token_error("invalid_grant", SIGN_IN_REFUSED)))
        }
        (user, None) => Err(Refusal::SignInRefused { basic: *user == UserIn::Basic }),
    }
}

/// Too many sign-ins of one name at once. What is wrong is not the password.
pub(super) fn busy(guard: &Guard, retry_after: Duration) -> Refused {
    if guard.user != UserIn::PasswordGrant {
        return Err(Refusal::TooManySignIns { retry_after });
    }
    let mut response = token_error("temporarily_unavailable", TOO_MANY_SIGN_INS);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
    Ok((Outcome::limited, response))
}

#[derive(Serialize)]
struct TokenError {
    error: &'static str,
    error_description: &'static str,
}

/// RFC 6749 §5.2
fn token_error(error: &'static str, error_description: &'static str) -> Response<ResponseBody> {
    let body = serde_json::to_vec(&TokenError { error, error_description }).unwrap_or_default();
    let mut response = Response::new(ResponseBody::whole(Bytes::from(body)));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
