//! The portal's own sign-ins, guarded: an attempt is counted before the portal sees it, and settled by the portal's answer.
//!
//! Whose attempt it is and what the answer means say the rules in `domain::guard`; how many are too many says the lockout
//! that guards Doorward's own doors, too.

mod known;
mod paces;
mod read;
mod refuse;
mod settle;
mod shared;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::{Response, header::AUTHORIZATION, request::Parts};

use self::{known::Known, paces::Paces, shared::Share};
use super::{
    ClientConnection, Gate, Worker,
    answer::Refusal,
    body::ResponseBody,
    forward::{forward, prepare},
    judge::Judgement,
    no_answer::NoAnswer,
    request_body::ArrivingBody,
};
use crate::{
    account::{NotForwarded, Reservation},
    clock,
    config::{Settings, TenantPolicy},
    domain::{
        guard::{Guard, Outcome as Said, UserIn},
        tenant::TenantId,
    },
    telemetry::metrics::{Guarded, Outcome},
};

/// What is remembered of guarded sign-ins, in memory: no name and no password.
#[derive(Default)]
pub struct Guards {
    paces: Paces,
    /// Made by the first guarded request: a portal without guards needs neither the memory nor the random key.
    known: OnceLock<Known<Reservation>>,
}

/// Whether a request may be a sign-in of the portal's.
pub fn concerns(policy: &TenantPolicy, path: &str) -> bool {
    policy.guards.iter().any(|guard| guard.endpoint.covers(path))
}

/// Step 7 for a request that may sign somebody in.
pub async fn guarded(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    settings: &Settings,
    judgement: &Judgement,
    policy: &Arc<TenantPolicy>,
    (mut parts, body): (Parts, ArrivingBody),
    now: u64,
) -> Result<(Outcome, Response<ResponseBody>), Refusal> {
    let gate = &*worker.gate;
    let guards: Vec<&Arc<Guard>> =
        policy.guards.iter().filter(|guard| guard.endpoint.covers(parts.uri.path())).collect();
    let sign_in = match read::sign_in(&guards, connection, &mut parts, body).await {
        Ok(sign_in) => sign_in,
        Err((guard, problem)) => {
            gate.metrics.count_guarded(Guarded::doubtful);
            return refuse::doubtful(guard, problem);
        }
    };
    let read::SignIn { found, body } = sign_in;
    let Some((guard, name)) = found else {
        let prepared = prepare(worker, connection, settings, judgement, policy, parts, body)?;
        let answer = forward(worker, connection, judgement, policy, Box::new(prepared), now).await?;
        return Ok((Outcome::forwarded, answer));
    };
    if guard.searches_body() {
        settle::plainly(&mut parts.headers);
    }
    let known = gate.guards.known.get_or_init(Known::default);
    let door = if guard.of_tenant { &policy.tenant } else { &settings.tenancy.default_tenant };
    // the parts of a page come all at once with the same credentials: that is one guess, and not one for each
    let credentials = match parts.headers.get(AUTHORIZATION) {
        Some(sent) if guard.user == UserIn::Basic => Some(known.digest(&policy.tenant, door, sent)),
        _ => None,
    };
    let reserving = reserve(gate, judgement, door, &name);
    let reserved = match &credentials {
        Some(digest) => known.join(digest, reserving).await,
        None => reserving.await.map(|reservation| Some(Share::new(reservation))),
    };
    let share = match reserved {
        Ok(share) => share,
        Err(NotForwarded::Refused) => {
            gate.metrics.count_guarded(Guarded::refused);
            return refuse::locked(gate, policy, guard).await;
        }
        Err(NotForwarded::NoName) => {
            gate.metrics.count_guarded(Guarded::doubtful);
            return refuse::doubtful(guard, read::Problem::NO_NAME);
        }
        Err(NotForwarded::Unavailable) => return Err(Refusal::StoreDown),
    };
    let started = Instant::now();
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let sent = match prepare(worker, connection, settings, judgement, policy, parts, body) {
        Ok(prepared) => forward(worker, connection, judgement, policy, Box::new(prepared), now).await,
        Err(refusal) => Err(NoAnswer { refusal, may_have_arrived: false }),
    };
    let answer = match sent {
        Ok(answer) => answer,
        // who hangs up on the portal, or makes it stumble, may have had a password checked: it stays counted
        Err(NoAnswer { refusal, may_have_arrived: true }) => return Err(refusal),
        Err(NoAnswer { refusal, may_have_arrived: false }) => {
            settle::cancel(share).await;
            return Err(refusal);
        }
    };
    let (said, answer) = settle::read(guard, (&method, &path), answer).await?;
    let is_right = settle::settle(share, said, guard.of_tenant.then_some(&policy.tenant)).await;
    if said == Said::Failed {
        gate.guards.paces.record(&policy.tenant, guard, started.elapsed());
    }
    if let (Some(digest), Some(is_right)) = (&credentials, is_right) {
        known.learn(digest, is_right);
    }
    gate.metrics.count_guarded(match said {
        Said::Succeeded => Guarded::succeeded,
        Said::Passed => Guarded::passed,
        Said::Failed => Guarded::failed,
    });
    Ok((Outcome::forwarded, answer))
}

async fn reserve(
    gate: &Gate,
    judgement: &Judgement,
    door: &TenantId,
    name: &str,
) -> Result<Reservation, NotForwarded> {
    match &gate.doors {
        Some(doors) => doors.reserve_at_portal(door, name, judgement.client.address, clock::millis()).await,
        // without a store there is nothing to count with
        None => Err(NotForwarded::Unavailable),
    }
}
