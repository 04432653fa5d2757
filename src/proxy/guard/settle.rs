//! What became of a sign-in, read from the portal's answer, which goes on to the client as it came.

use std::{collections::VecDeque, sync::Arc};

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

/// An attempt the portal is asked about.
pub(super) struct Tried {
    pub guard: Arc<Guard>,
    /// `None` where these very credentials were right a moment ago.
    pub reservation: Option<Reservation>,
}

/// The portal has not answered, so nobody has learnt anything.
pub(super) async fn cancel(tried: Vec<Tried>) {
    for reservation in tried.into_iter().filter_map(|tried| tried.reservation) {
        if let Err(error) = reservation.cancel().await {
            tracing::error!(%error, "an attempt the portal never saw stays counted");
        }
    }
}

/// Whoever is gone before this is done has failed: a reservation that is dropped stays counted.
pub(super) async fn settle(
    tried: Vec<Tried>,
    answer: Response<ResponseBody>,
) -> Result<(Response<ResponseBody>, Outcome), Refusal> {
    let (parts, mut body) = answer.into_parts();
    let searching = tried.iter().map(|tried| &tried.guard).filter(|guard| guard.searches_body());
    let searched = searching.map(|guard| guard.searched).max().unwrap_or(0);
    let mut text = Vec::new();
    // what is compressed although nobody asked for it says nothing, and so nothing good
    if searched > 0 && !parts.headers.contains_key(CONTENT_ENCODING) {
        (text, body) = start_of(body, searched).await?;
    }
    let status = parts.status.as_u16();
    let location = parts.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let mut said = Outcome::Succeeded;
    for Tried { guard, reservation } in tried {
        let start = text.get(..guard.searched).unwrap_or(&text);
        let outcome = guard.outcome(&Answer { status, location, body: start });
        if outcome == Outcome::Failed {
            said = Outcome::Failed;
        }
        match (reservation, outcome) {
            (Some(reservation), Outcome::Succeeded) => {
                if let Err(error) = reservation.succeeded().await {
                    tracing::error!(%error, "a sign-in that worked stays counted as failed");
                }
            }
            (Some(reservation), Outcome::Failed) => reservation.failed(),
            (None, _) => {}
        }
    }
    Ok((Response::from_parts(parts, body), said))
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
