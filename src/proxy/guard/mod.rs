//! The portal's own sign-ins, guarded: an attempt is counted before the portal sees it, and settled by the portal's answer.
//!
//! Whose attempt it is and what the answer means say the rules in `domain::guard`; how many are too many says the lockout
//! that guards Doorward's own doors, too.

mod given;
mod known;
mod paces;
mod pending;
mod read;
mod refuse;
mod reserve;
mod session_shares;
mod settle;
mod shared;
mod steer;
mod whose;

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;
use http::{Response, request::Parts};

use self::{
    given::GivenNames,
    known::Known,
    paces::Paces,
    pending::PendingAttempt,
    read::{FoundAttempt, Judge},
    whose::Whose,
};
use super::{
    ClientConnection, Worker,
    admission::{check_buffers, limit_reached},
    answer::Refusal,
    body::ResponseBody,
    counted_bytes::counted,
    forward::{forward, prepare},
    judge::Judgement,
    no_answer::NoAnswer,
    request_body::{ArrivingBody, ClientBody},
};
use crate::{
    account::NotForwarded,
    config::{Settings, TenantPolicy},
    domain::{
        fairness::Resource,
        guard::{
            Doubt, Guard, Outcome as Said,
            rule::{Attempt, Named},
        },
        identity::Identity,
        path::readings::Readings,
        tenant::TenantId,
    },
    telemetry::metrics::{Guarded, Outcome},
};

/// What is remembered of guarded sign-ins, in memory: no password, and names only between two pages of a sign-in.
#[derive(Default)]
pub struct Guards {
    paces: Paces,
    /// Made by the first guarded request: a portal without guards needs neither the memory nor the random key.
    known: OnceLock<Known<PendingAttempt>>,
    given: OnceLock<GivenNames>,
}

impl Guards {
    fn given(&self) -> &GivenNames {
        self.given.get_or_init(GivenNames::default)
    }
}

/// Whether a request may be a sign-in of the portal's.
pub fn concerns(policy: &TenantPolicy, path: &str) -> bool {
    !covering(policy, path).is_empty()
}

/// The guards whose address some program may read in this path, none of them superseded by a later one; all of them if it has too
/// many readings.
fn covering<'a>(policy: &'a TenantPolicy, path: &str) -> Vec<&'a Arc<Guard>> {
    if policy.guards.is_empty() {
        return Vec::new();
    }
    let readings = Readings::of(path);
    let covers = |guard: &&Arc<Guard>| guard.endpoint.covers_any(&readings);
    let mut guards: Vec<_> = policy.guards.iter().filter(covers).collect();
    if guards.len() > 1 {
        Guard::sort_by_precision(&mut guards, path);
    }
    guards
}

type Answered = Result<(Outcome, Response<ResponseBody>), Refusal>;

/// A guarded request that is being forwarded.
struct Guarding<'a> {
    worker: &'a Worker,
    connection: &'a Arc<ClientConnection>,
    settings: &'a Settings,
    judgement: &'a Judgement,
    policy: &'a Arc<TenantPolicy>,
    now: u64,
}

/// An attempt that a guard has found.
struct Found<'a> {
    guard: &'a Guard,
    /// The tenant for which names without a tenant are counted.
    door: &'a TenantId,
    whose: Whose,
    /// The portal may verify a one-time code instead of a password of the name.
    has_code: bool,
    judges: Vec<Judge<'a>>,
}

/// Step 7 for a request that may be a sign-in.
pub async fn guarded(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    settings: &Settings,
    judgement: &Judgement,
    policy: &Arc<TenantPolicy>,
    (mut parts, body): (Parts, ArrivingBody),
    now: u64,
) -> Result<(Outcome, Response<ResponseBody>), Refusal> {
    let guards = covering(policy, parts.uri.path());
    let guarding = Guarding { worker, connection, settings, judgement, policy, now };
    if !body.is_end_stream() {
        check_buffers(&worker.gate, judgement)?;
    }
    let client = (connection, &judgement.client_state);
    let read::SignIn { found, body, bytes } = match read::sign_in(&guards, client, &mut parts, body).await {
        Ok(sign_in) => sign_in,
        Err((guard, problem)) => return guarding.refuse(guard, problem),
    };
    let Some(FoundAttempt { guard, name, judges }) = found else {
        drop(bytes);
        return guarding.forward(parts, body).await.map(forwarded).map_err(Refusal::from);
    };
    let door = whose::door(guard, &policy.tenant, &settings.tenancy.default_tenant);
    let given = (worker.gate.guards.given(), guarding.session_share());
    let whose = match Whose::find(guard, door, given, (&parts, &bytes), name) {
        Ok(whose) => whose,
        Err(problem) => return guarding.refuse(guard, problem),
    };
    if whose.names.is_empty() && guard.needs_name(parts.method.as_str(), !bytes.is_empty()) {
        return guarding.refuse(guard, Doubt::NoName.into());
    }
    let found = Found { guard, door, whose, has_code: guard.has_code(&bytes), judges };
    if guard.only_names() {
        drop(bytes);
        let answer = guarding.forward(parts, body).await?;
        return match found.whose.follow(guard, door, given, answer.headers()) {
            Ok(()) => Ok(forwarded(answer)),
            Err(problem) => guarding.refuse(guard, problem),
        };
    }
    Box::pin(guarding.attempt(&found, bytes, (parts, body))).await
}

fn forwarded(answer: Response<ResponseBody>) -> (Outcome, Response<ResponseBody>) {
    (Outcome::forwarded, answer)
}

impl Guarding<'_> {
    async fn forward(&self, parts: Parts, body: ClientBody) -> Result<Response<ResponseBody>, NoAnswer> {
        let &Self { worker, connection, settings, judgement, policy, now } = self;
        match prepare(worker, connection, settings, judgement, policy, parts, body) {
            Ok(prepared) => forward(worker, connection, judgement, policy, prepared, now).await,
            Err(refusal) => Err(NoAnswer { refusal, may_have_arrived: false }),
        }
    }

    /// What the guards compare with the answer. The body itself is not held while the portal thinks.
    fn sent(&self, judges: &[Judge<'_>], query: Option<&str>, body: Bytes) -> Bytes {
        let sent = judges.iter().map(|judge| judge.guard.sent(query, &body));
        let sent = sent.max_by_key(Vec::len).unwrap_or_default();
        drop(body);
        let reservation = self.judgement.client_state.reserve(Resource::BufferedBytes, sent.len());
        counted(Bytes::from(sent), reservation)
    }

    /// The address in whose share a portal session counts that gets a name.
    fn session_share(&self) -> Option<IpAddr> {
        let address = self.judgement.address;
        let account_lock = &self.settings.defaults.rules.account_lock;
        account_lock.limits_portal_sessions(address).then_some(address.ip)
    }

    fn refuse(&self, guard: &Guard, problem: read::Problem) -> Answered {
        self.worker.gate.metrics.count_guarded(Guarded::doubtful);
        refuse::doubtful(guard, problem)
    }

    /// Reserves the attempt, forwards it, and records the outcome that the answer shows. `bytes` is the request body.
    async fn attempt(
        &self,
        found: &Found<'_>,
        bytes: Bytes,
        (mut parts, body): (Parts, ClientBody),
    ) -> Answered {
        let &Found { guard, door, ref whose, ref judges, .. } = found;
        let gate = &*self.worker.gate;
        let known = gate.guards.known.get_or_init(Known::default);
        for judge in judges {
            steer::hold(judge.guard, &mut parts, self.judgement.client.https);
        }
        let credentials = reserve::credentials(known, guard, (&self.policy.tenant, door), &parts.headers);
        let reserved = match self.reserve(found, (known, credentials.as_ref()), &parts).await {
            Ok(reserved) => reserved,
            Err(NotForwarded::Refused) => {
                gate.metrics.count_guarded(Guarded::refused);
                return refuse::locked(gate, self.policy, guard).await;
            }
            Err(NotForwarded::NoName) => return self.refuse(guard, read::Problem::UNSEEN_NAME),
            Err(NotForwarded::Busy { retry_after }) => {
                gate.metrics.count_guarded(Guarded::refused);
                return refuse::busy(guard, retry_after);
            }
            Err(NotForwarded::Limited(exceeded)) => {
                return Err(limit_reached(Resource::GuardedSignIn, exceeded));
            }
            Err(NotForwarded::Unavailable) => return Err(Refusal::StoreDown),
        };
        let started = Instant::now();
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let sent = self.sent(judges, parts.uri.query(), bytes);
        let answer = match self.forward(parts, body).await {
            Ok(answer) => answer,
            // the portal may have verified the password before the connection failed: the attempt stays counted
            Err(NoAnswer { refusal, may_have_arrived: true }) => return Err(refusal),
            Err(NoAnswer { refusal, may_have_arrived: false }) => {
                reserved.cancel().await;
                return Err(refusal);
            }
        };
        let judging: Vec<_> = judges
            .iter()
            .map(|judge| {
                let attempt = Attempt {
                    method: method.as_str(),
                    is_exact_path: judge.guard.endpoint.is_exactly(&path),
                    named: if judge.is_named { whose.named() } else { Named::Never },
                    is_authenticated: self.judgement.identity != Identity::Anonymous,
                };
                (judge.guard, [attempt, whose.in_session(attempt)])
            })
            .collect();
        let ([said, in_session], answer) = settle::read(&judging, &sent, answer).await?;
        let given = (gate.guards.given(), self.session_share());
        let followed = whose.follow(guard, door, given, answer.headers());
        let outcome = match said {
            Said::Succeeded => Guarded::succeeded,
            Said::Passed => Guarded::passed,
            Said::Failed => Guarded::failed,
        };
        reserved.record(outcome);
        let of = guard.of_tenant.then_some(&self.policy.tenant);
        settle::settle_session(reserved.of_session, in_session, of).await;
        let is_right = settle::settle(reserved.of_names, said, of).await;
        if said == Said::Failed {
            gate.guards.paces.record(&self.policy.tenant, guard, started.elapsed());
        }
        if let (Some(digest), Some(is_right)) = (&credentials, is_right) {
            known.learn(digest, is_right);
        }
        gate.metrics.count_guarded(outcome);
        match followed {
            Err(problem) if said != Said::Succeeded => self.refuse(guard, problem),
            _ => Ok(forwarded(answer)),
        }
    }
}
