//! What became of a sign-in, read from the portal's answer, which goes on to the client as it came.

use std::collections::VecDeque;

use http::{
    Response, StatusCode,
    header::{CONTENT_ENCODING, LOCATION},
};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::{pending::PendingAttempt, shared::Share};
use crate::{
    account::Reservation,
    domain::{
        guard::{Guard, Outcome, outcome::Answer, rule::Attempt},
        tenant::TenantId,
    },
    proxy::{answer::Refusal, body::ResponseBody},
};

/// The portal has not seen it, or says nothing of it, so nobody has learnt anything.
pub(super) async fn cancel(shares: impl IntoIterator<Item = Share<PendingAttempt>>) {
    for share in shares {
        let Some(reservation) = share.take_back() else { continue };
        if let Err(error) = reservation.cancel().await {
            tracing::error!(%error, "an attempt that came to nothing stays counted");
        }
    }
}

/// Whoever is gone before this is done has failed: a reservation that is dropped stays counted. `of` is the tenant whose file
/// the guard is from: what it calls a right password forgives wrong ones of that tenant's names, of others only itself.
/// Whether these credentials are right, as far as anybody may remember; `None`: this answer says nothing of it.
pub(super) async fn settle(
    shares: Vec<Share<PendingAttempt>>,
    said: Outcome,
    of: Option<&TenantId>,
) -> Option<bool> {
    match said {
        // known to be right; which no tenant's own guard prolongs
        Outcome::Succeeded if shares.is_empty() => of.is_none().then_some(true),
        Outcome::Succeeded => {
            let mut is_right = None;
            for share in shares {
                is_right = forgive(share, of).await;
            }
            is_right
        }
        Outcome::Failed => {
            // dropped, they stay counted
            shares.into_iter().filter_map(Share::settle).for_each(drop);
            Some(false)
        }
        Outcome::Passed => {
            cancel(shares).await;
            Some(false)
        }
    }
}

async fn forgive(share: Share<PendingAttempt>, of: Option<&TenantId>) -> Option<bool> {
    // another one has settled it, and knows whose it is
    let forgives = share.look(|reservation| of.is_none_or(|tenant| tenant == reservation.tenant()))?;
    if !forgives {
        // others that share the guess may yet say that it was wrong
        cancel([share]).await;
        return None;
    }
    if let Err(error) = share.settle()?.succeeded().await {
        tracing::error!(%error, "a sign-in that worked stays counted as failed");
    }
    Some(true)
}

/// Records the outcome for the portal session and the network. A success resets the counter of the session; on that of the
/// network it releases its own reservation only. `of` as in [`settle`].
pub(super) async fn settle_session(session: Option<Reservation>, said: Outcome, of: Option<&TenantId>) {
    let Some(reservation) = session else { return };
    let forgives = of.is_none_or(|tenant| tenant == reservation.tenant());
    let settled = match said {
        Outcome::Failed => {
            reservation.failed();
            return;
        }
        Outcome::Succeeded if forgives => reservation.succeeded().await.map(drop),
        Outcome::Succeeded | Outcome::Passed => reservation.cancel().await,
    };
    if let Err(error) = settled {
        tracing::error!(%error, "failed to release the lockout reservation of a portal session");
    }
}

/// What the answer says of each of the attempts, and the answer. Where several guards judge it, the strictest outcome counts.
pub(super) async fn read(
    judging: &[(&Guard, [Attempt<'_>; 2])],
    sent: &[u8],
    answer: Response<ResponseBody>,
) -> Result<([Outcome; 2], Response<ResponseBody>), Refusal> {
    let (parts, mut body) = answer.into_parts();
    let mut start = Vec::new();
    // what is compressed although nobody asked for it says nothing, and so nothing good
    let is_readable = !parts.headers.contains_key(CONTENT_ENCODING);
    let searching = judging.iter().filter(|(guard, _)| is_readable && guard.searches_body());
    if let Some(searched) = searching.map(|(guard, _)| guard.searched).max() {
        (start, body) = start_of(body, searched).await?;
    }
    let is_part = matches!(parts.status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    let said = judging.iter().map(|(guard, attempts)| {
        let has_body = attempts.iter().all(|attempt| attempt.method != "HEAD");
        let is_read = is_readable && guard.searches_body() && start.len() <= guard.searched;
        let shown = Answer {
            status: parts.status.as_u16(),
            location: parts.headers.get(LOCATION).and_then(|location| location.to_str().ok()),
            body: start.get(..guard.searched).unwrap_or(&start),
            is_whole: is_read && !is_part && has_body,
            sent,
        };
        attempts.map(|attempt| guard.outcome(attempt, &shown))
    });
    let strictest = |one: [Outcome; 2], other: [Outcome; 2]| {
        let ([one, in_session], [other, other_in_session]) = (one, other);
        [one.max(other), in_session.max(other_in_session)]
    };
    let said = said.reduce(strictest).unwrap_or([Outcome::Failed; 2]);
    Ok((said, Response::from_parts(parts, body)))
}

/// The first bytes of a body, more than `bytes` if there are more, and the whole of it.
async fn start_of(mut body: ResponseBody, bytes: usize) -> Result<(Vec<u8>, ResponseBody), Refusal> {
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
    Ok((text, ResponseBody::begun(read, body)))
}
