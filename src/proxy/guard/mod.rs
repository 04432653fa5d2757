//! The portal's own sign-ins, guarded: an attempt is counted before the portal sees it, and settled by the portal's answer.
//!
//! Whose attempt it is and what the answer means say the rules in `domain::guard`; how many are too many says the lockout
//! that guards Doorward's own doors, too.

mod known;
mod paces;
mod read;
mod refuse;
mod settle;

use std::{sync::Arc, time::Instant};

use http::{Response, header::ACCEPT_ENCODING, request::Parts};
use hyper::body::Incoming;

use self::{known::Known, paces::Paces, settle::Tried};
use super::{
    ClientConnection, Gate, Worker,
    answer::Refusal,
    body::ResponseBody,
    forward::{forward, prepare},
    judge::Judgement,
};
use crate::{
    account::NotForwarded,
    clock,
    config::{Settings, TenantPolicy},
    domain::guard::{Guard, Outcome as Said},
    telemetry::metrics::{Guarded, Outcome},
};

/// What is remembered of guarded sign-ins, in memory and for a minute at most: no name and no password.
#[derive(Default)]
pub struct Guards {
    paces: Paces,
    known: Known,
}

/// Whether a request may be a sign-in of the portal's.
pub fn concerns(policy: &TenantPolicy, path: &str) -> bool {
    policy.guards.iter().any(|guard| guard.endpoint.covers(path))
}

/// Step 7 for a request that may sign somebody in.
pub async fn guarded(
    worker: &Worker,
    connection: &ClientConnection,
    settings: &Settings,
    judgement: &Judgement,
    policy: &Arc<TenantPolicy>,
    (mut parts, body): (Parts, Incoming),
    now: u64,
) -> Result<(Outcome, Response<ResponseBody>), Refusal> {
    let gate = &*worker.gate;
    let guards: Vec<&Arc<Guard>> =
        policy.guards.iter().filter(|guard| guard.endpoint.covers(parts.uri.path())).collect();
    let sign_in = match read::sign_in(&guards, &mut parts, body).await {
        Ok(sign_in) => sign_in,
        Err((guard, problem)) => {
            gate.metrics.count_guarded(Guarded::doubtful);
            return refuse::doubtful(guard, problem);
        }
    };
    if sign_in.names.iter().any(|(guard, _)| guard.searches_body()) {
        parts.headers.remove(ACCEPT_ENCODING);
    }
    // the same credentials over and over are one guess: a page of HTTP Basic has many parts that come at once
    let credentials = sign_in.credentials(&parts).map(|sent| gate.guards.known.digest(&policy.tenant, sent));
    let mut turn = None;
    if let Some(digest) = &credentials
        && !gate.guards.known.is_known(digest)
    {
        turn = Some(gate.guards.known.turn(digest).await);
    }
    let is_known = credentials.as_ref().is_some_and(|digest| gate.guards.known.is_known(digest));
    let tried = if is_known {
        sign_in.names.iter().map(|(guard, _)| Tried { guard: Arc::clone(guard), reservation: None }).collect()
    } else {
        match reserve(gate, judgement, policy, &sign_in.names).await {
            Ok(tried) => tried,
            Err((guard, NotForwarded::Refused)) => {
                gate.metrics.count_guarded(Guarded::refused);
                return refuse::locked(gate, policy, guard).await;
            }
            Err((guard, NotForwarded::NoName)) => {
                gate.metrics.count_guarded(Guarded::doubtful);
                return refuse::doubtful(guard, read::Problem::NO_NAME);
            }
            // what cannot be counted is not let through
            Err((_, NotForwarded::Unavailable)) => return Err(Refusal::Overloaded),
        }
    };
    let started = Instant::now();
    let sent = match prepare(worker, connection, settings, judgement, policy, parts, sign_in.body) {
        Ok(prepared) => forward(worker, connection, judgement, policy, Box::new(prepared), now).await,
        Err(refusal) => Err(refusal),
    };
    let answer = match sent {
        Ok(answer) => answer,
        Err(refusal) => {
            // nobody has learnt anything from this attempt
            settle::cancel(tried).await;
            return Err(refusal);
        }
    };
    let is_sign_in = !tried.is_empty();
    let (answer, said) = settle::settle(tried, answer).await?;
    if is_sign_in {
        settled(gate, policy, &sign_in.names, said, started);
        if let Some(digest) = &credentials {
            gate.guards.known.learn(digest, said == Said::Succeeded);
        }
    }
    drop(turn);
    Ok((Outcome::forwarded, answer))
}

type Names<'a> = [(&'a Arc<Guard>, String)];

/// Counts the attempt, for each name it is made with. All or none: one that is refused is counted nowhere.
async fn reserve<'a>(
    gate: &Gate,
    judgement: &Judgement,
    policy: &Arc<TenantPolicy>,
    names: &Names<'a>,
) -> Result<Vec<Tried>, (&'a Guard, NotForwarded)> {
    // without a store there is nothing to count with
    let Some(doors) = &gate.doors else {
        return match names.first() {
            Some(&(guard, _)) => Err((guard, NotForwarded::Unavailable)),
            None => Ok(Vec::new()),
        };
    };
    let mut tried = Vec::with_capacity(names.len());
    for &(guard, ref name) in names {
        match doors.reserve_at_portal(policy, name, judgement.client.address, clock::millis()).await {
            Ok(reservation) => tried.push(Tried { guard: Arc::clone(guard), reservation: Some(reservation) }),
            Err(why) => {
                settle::cancel(tried).await;
                return Err((guard, why));
            }
        }
    }
    Ok(tried)
}

fn settled(gate: &Gate, policy: &Arc<TenantPolicy>, names: &Names<'_>, said: Said, started: Instant) {
    match said {
        Said::Succeeded => gate.metrics.count_guarded(Guarded::succeeded),
        Said::Failed => {
            gate.metrics.count_guarded(Guarded::failed);
            for (guard, _) in names {
                gate.guards.paces.record(&policy.tenant, guard, started.elapsed());
            }
        }
    }
}
