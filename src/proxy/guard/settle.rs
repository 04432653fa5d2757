//! What became of a sign-in, read from the portal's answer, which goes on to the client as it came.

use std::collections::VecDeque;

use http::{
    Response,
    header::{CONTENT_ENCODING, LOCATION},
};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::{
    account::Reservation,
    domain::guard::{Guard, Outcome, outcome::Answer},
    proxy::{answer::Refusal, body::ResponseBody},
};

/// The portal has not answered, so nobody has learnt anything.
pub(super) async fn cancel(reservation: Option<Reservation>) {
    let Some(reservation) = reservation else { return };
    if let Err(error) = reservation.cancel().await {
        tracing::error!(%error, "an attempt that came to nothing stays counted");
    }
}

/// Whoever is gone before this is done has failed: a reservation that is dropped stays counted.
pub(super) async fn settle(reservation: Option<Reservation>, said: Outcome) {
    match (reservation, said) {
        (Some(reservation), Outcome::Succeeded) => {
            if let Err(error) = reservation.succeeded().await {
                tracing::error!(%error, "a sign-in that worked stays counted as failed");
            }
        }
        (Some(reservation), Outcome::Failed) => reservation.failed(),
        (reservation, Outcome::Passed) => cancel(reservation).await,
        // these very credentials were right a moment ago
        (None, _) => {}
    }
}

/// What the answer says, and the answer.
pub(super) async fn read(
    guard: &Guard,
    path: &str,
    answer: Response<ResponseBody>,
) -> Result<(Outcome, Response<ResponseBody>), Refusal> {
    let (parts, mut body) = answer.into_parts();
    let mut start = Vec::new();
    // what is compressed although nobody asked for it says nothing, and so nothing good
    if guard.searches_body() && !parts.headers.contains_key(CONTENT_ENCODING) {
        (start, body) = start_of(body, guard.searched).await?;
    }
    let said = guard.outcome(
        path,
        &Answer {
            status: parts.status.as_u16(),
            location: parts.headers.get(LOCATION).and_then(|location| location.to_str().ok()),
            body: start.get(..guard.searched).unwrap_or(&start),
        },
    );
    Ok((said, Response::from_parts(parts, body)))
}

/// The first bytes of a body, and the whole of it.
async fn start_of(mut body: ResponseBody, bytes: usize) -> Result<(Vec<u8>, ResponseBody), Refusal> {
    let (mut text, mut read) = (Vec::new(), VecDeque::new());
    while text.len() < bytes && !body.is_end_stream() {
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
