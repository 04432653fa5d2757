//! What became of a sign-in, read from the portal's answer, which goes on to the client as it came.

use std::collections::VecDeque;

use http::{
    HeaderMap, Method, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION, RANGE,
    },
};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::shared::Share;
use crate::{
    account::Reservation,
    domain::{
        guard::{Guard, Outcome, outcome::Answer},
        tenant::TenantId,
    },
    proxy::{answer::Refusal, body::ResponseBody},
};

/// What would let whoever asks choose what the answer says, or how much of it: the answer is searched for texts.
pub(super) fn plainly(headers: &mut HeaderMap) {
    for choice in [
        ACCEPT_ENCODING,
        ACCEPT_LANGUAGE,
        RANGE,
        IF_RANGE,
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        IF_UNMODIFIED_SINCE,
    ] {
        headers.remove(choice);
    }
}

/// The portal has not seen it, or says nothing of it, so nobody has learnt anything.
pub(super) async fn cancel(share: Option<Share<Reservation>>) {
    let Some(reservation) = share.and_then(Share::take_back) else { return };
    if let Err(error) = reservation.cancel().await {
        tracing::error!(%error, "an attempt that came to nothing stays counted");
    }
}

/// Whoever is gone before this is done has failed: a reservation that is dropped stays counted. `of` is the tenant whose file
/// the guard is from: what it calls a right password forgives wrong ones of that tenant's names, of others only itself.
/// Whether these credentials are right, as far as anybody may remember; `None`: this answer says nothing of it.
pub(super) async fn settle(
    share: Option<Share<Reservation>>,
    said: Outcome,
    of: Option<&TenantId>,
) -> Option<bool> {
    match said {
        Outcome::Succeeded => {
            // known to be right; which no tenant's own guard prolongs
            let Some(share) = share else { return of.is_none().then_some(true) };
            // another one has settled it, and knows whose it is
            let forgives =
                share.look(|reservation| of.is_none_or(|tenant| tenant == reservation.tenant()))?;
            if !forgives {
                // others that share the guess may yet say that it was wrong
                cancel(Some(share)).await;
                return None;
            }
            if let Err(error) = share.settle()?.succeeded().await {
                tracing::error!(%error, "a sign-in that worked stays counted as failed");
            }
            Some(true)
        }
        Outcome::Failed => {
            if let Some(reservation) = share.and_then(Share::settle) {
                reservation.failed();
            }
            Some(false)
        }
        Outcome::Passed => {
            cancel(share).await;
            Some(false)
        }
    }
}

/// What the answer says, and the answer.
pub(super) async fn read(
    guard: &Guard,
    (method, path): (&Method, &str),
    answer: Response<ResponseBody>,
) -> Result<(Outcome, Response<ResponseBody>), Refusal> {
    let (parts, mut body) = answer.into_parts();
    let (mut start, mut is_whole) = (Vec::new(), false);
    // what is compressed although nobody asked for it says nothing, and so nothing good
    if guard.searches_body() && !parts.headers.contains_key(CONTENT_ENCODING) {
        (start, body) = start_of(body, guard.searched).await?;
        let is_part = matches!(parts.status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
        is_whole = start.len() <= guard.searched && !is_part && method != Method::HEAD;
    }
    let said = guard.outcome(
        path,
        &Answer {
            status: parts.status.as_u16(),
            location: parts.headers.get(LOCATION).and_then(|location| location.to_str().ok()),
            body: start.get(..guard.searched).unwrap_or(&start),
            is_whole,
        },
    );
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
