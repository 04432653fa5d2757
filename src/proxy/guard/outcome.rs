//! Reads the outcome of a sign-in from the portal's response, which is passed on to the client unchanged.

use std::collections::VecDeque;

use http::{
    Response, StatusCode,
    header::{CONTENT_ENCODING, LOCATION},
};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::{pending::PendingAttempt, shared_attempt::AttemptShare};
use crate::{
    account::Reservation,
    domain::{
        guard::{AttemptOutcome, LoginGuard, outcome::PortalResponse, rule::GuardedAttempt},
        tenant::TenantId,
    },
    proxy::{body::ResponseBody, refusal::Refusal},
};

/// The portal did not verify a password: releases the reservations.
pub(super) async fn release(shares: impl IntoIterator<Item = AttemptShare<PendingAttempt>>) {
    for share in shares {
        let Some(reservation) = share.take_if_last() else { continue };
        if let Err(error) = reservation.cancel().await {
            tracing::error!(%error, "failed to release lockout reservation");
        }
    }
}

/// If the request is cancelled, the attempt stays counted as failed: so does a dropped reservation. `guard_tenant` is the tenant
/// whose file has the guard: its success resets the counters of that tenant's names only, of others just this attempt.
/// Returns whether the credentials are correct, as far as it may be cached; `None`: the response does not tell.
pub(super) async fn record_outcome(
    shares: Vec<AttemptShare<PendingAttempt>>,
    outcome: AttemptOutcome,
    guard_tenant: Option<&TenantId>,
) -> Option<bool> {
    match outcome {
        // verified before; a tenant's own guard does not prolong that
        AttemptOutcome::Succeeded if shares.is_empty() => guard_tenant.is_none().then_some(true),
        AttemptOutcome::Succeeded => {
            let mut is_correct = None;
            for share in shares {
                is_correct = record_success(share, guard_tenant).await;
            }
            is_correct
        }
        AttemptOutcome::Failed => {
            // dropped, they stay counted
            shares.into_iter().filter_map(AttemptShare::take).for_each(drop);
            Some(false)
        }
        AttemptOutcome::Neutral => {
            release(shares).await;
            Some(false)
        }
    }
}

async fn record_success(
    share: AttemptShare<PendingAttempt>,
    guard_tenant: Option<&TenantId>,
) -> Option<bool> {
    // another request has taken the reservation, and records the outcome
    let may_reset = share
        .with_reservation(|reservation| guard_tenant.is_none_or(|tenant| tenant == reservation.tenant()))?;
    if !may_reset {
        // another request that shares the attempt may still fail
        release([share]).await;
        return None;
    }
    if let Err(error) = share.take()?.succeeded().await {
        tracing::error!(%error, "failed to reset the lockout counter after a successful sign-in");
    }
    Some(true)
}

/// Records the outcome for the portal session and the network. A success resets the counter of the session; on that of the
/// network it releases its own reservation only. `of` as in [`record_outcome`].
pub(super) async fn record_session_outcome(
    session: Option<Reservation>,
    outcome: AttemptOutcome,
    of: Option<&TenantId>,
) {
    let Some(reservation) = session else { return };
    let may_reset = of.is_none_or(|tenant| tenant == reservation.tenant());
    let recorded = match outcome {
        AttemptOutcome::Failed => {
            reservation.record_failure();
            return;
        }
        AttemptOutcome::Succeeded if may_reset => reservation.record_success().await.map(drop),
        AttemptOutcome::Succeeded | AttemptOutcome::Neutral => reservation.release().await,
    };
    if let Err(error) = recorded {
        tracing::error!(%error, "failed to record the outcome of a login for its portal session");
    }
}

/// The outcome of each attempt according to the response, and the response. Where several guards decide about it, the strictest outcome counts.
pub(super) async fn evaluate_response(
    attempts_by_guard: &[(&LoginGuard, [GuardedAttempt<'_>; 2])],
    sent: &[u8],
    answer: Response<ResponseBody>,
) -> Result<([AttemptOutcome; 2], Response<ResponseBody>), Refusal> {
    let (parts, mut body) = answer.into_parts();
    let mut start = Vec::new();
    // a compressed body cannot be searched, so it is never evidence of success
    let is_readable = !parts.headers.contains_key(CONTENT_ENCODING);
    let searching = attempts_by_guard.iter().filter(|(guard, _)| is_readable && guard.searches_body());
    if let Some(searched) = searching.map(|(guard, _)| guard.max_searched_bytes).max() {
        (start, body) = read_prefix(body, searched).await?;
    }
    let is_part = matches!(parts.status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    let said = attempts_by_guard.iter().map(|(guard, attempts)| {
        let has_body = attempts.iter().all(|attempt| attempt.method != "HEAD");
        let is_read = is_readable && guard.searches_body() && start.len() <= guard.max_searched_bytes;
        let shown = PortalResponse {
            status: parts.status.as_u16(),
            location: parts.headers.get(LOCATION).and_then(|location| location.to_str().ok()),
            body: start.get(..guard.max_searched_bytes).unwrap_or(&start),
            is_whole: is_read && !is_part && has_body,
            sent,
        };
        attempts.map(|attempt| guard.outcome(attempt, &shown))
    });
    let strictest = |one: [AttemptOutcome; 2], other: [AttemptOutcome; 2]| {
        let ([one, in_session], [other, other_in_session]) = (one, other);
        [one.max(other), in_session.max(other_in_session)]
    };
    let said = said.reduce(strictest).unwrap_or([AttemptOutcome::Failed; 2]);
    Ok((said, Response::from_parts(parts, body)))
}

/// The first bytes of a body, more than `bytes` if there are more, and the complete body.
async fn read_prefix(mut body: ResponseBody, bytes: usize) -> Result<(Vec<u8>, ResponseBody), Refusal> {
    let (mut text, mut read) = (Vec::new(), VecDeque::new());
    while text.len() <= bytes && !body.is_end_stream() {
        match body.frame().await {
            Some(Ok(frame)) => {
                text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data.as_ref()));
                read.push_back(frame);
            }
            Some(Err(_)) => return Err(Refusal::PortalDown),
            None => break,
        }
    }
    Ok((text, ResponseBody::prefixed(read, body)))
}
