//! Ends what outlives the decision about its request, an upgraded connection or an answer that streams, once the same request
//! would be refused: its token or session has ended, or the tenant's policy has changed.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Method, request::Parts, uri::PathAndQuery};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Gate, Worker, identify::Proof, judge::Judgement};
use crate::{
    clock,
    config::{TenantPolicy, directory::Found},
    domain::{
        access::{Decision, decide},
        identity::Identity,
        tenant::TenantId,
        upgrade::UpgradeChoice,
    },
};

/// How often a policy is compared with the one the request was allowed by: one look-up in memory.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Answers of a known length up to this are not watched: what they hold was read while the request was allowed.
const SHORT_ANSWER: u64 = 1 << 20;

/// Resolves when the request would no longer be allowed.
pub type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the decision was about, before the request is rewritten for the portal.
pub struct Judged {
    method: Method,
    target: Option<PathAndQuery>,
}

impl Judged {
    pub fn of(parts: &Parts) -> Self {
        Self { method: parts.method.clone(), target: parts.uri.path_and_query().cloned() }
    }
}

/// What a request was allowed by.
pub struct AccessWatch {
    gate: Arc<Gate>,
    tenant: TenantId,
    /// The policy of this generation allowed it.
    generation: u64,
    judged: Judged,
    /// The protocols it switched to.
    upgrade: Option<HeaderValue>,
    proof: Option<Proof>,
    /// When the token ends.
    expires: Option<Instant>,
}

impl AccessWatch {
    /// `now` is seconds since the epoch.
    pub fn new(
        worker: &Worker,
        judgement: &Judgement,
        policy: &TenantPolicy,
        judged: Judged,
        now: u64,
    ) -> Self {
        let expires = match &judgement.proof {
            // an expiry beyond the end of time is none
            Some(Proof::Token(verified)) => {
                Instant::now().checked_add(Duration::from_secs(verified.user.expires_at.saturating_sub(now)))
            }
            Some(Proof::Session(_)) | None => None,
        };
        Self {
            gate: Arc::clone(&worker.gate),
            tenant: policy.tenant.clone(),
            generation: policy.generation,
            judged,
            upgrade: judgement.cleaned.upgrade.clone(),
            proof: judgement.proof.clone(),
            expires,
        }
    }

    /// Returns when the request would no longer be allowed.
    pub async fn ended(mut self) {
        let (gate, proof) = (Arc::clone(&self.gate), self.proof.clone());
        let session_ended = async {
            match (&gate.doors, &proof) {
                (Some(doors), Some(Proof::Session(live))) => {
                    let sessions = doors.sessions();
                    sessions.ended(&sessions.open(live), clock::millis).await;
                }
                _ => pending().await,
            }
        };
        let expires = self.expires;
        let token_expired = async {
            match expires {
                Some(expires) => sleep_until(expires).await,
                None => pending().await,
            }
        };
        let (mut session_ended, mut token_expired) = (pin!(session_ended), pin!(token_expired));
        loop {
            tokio::select! {
                () = &mut session_ended => return,
                () = &mut token_expired => return,
                () = sleep(CHECK_EVERY) => {}
            }
            if !self.is_allowed().await {
                return;
            }
        }
    }

    /// Under the policy as it is now.
    async fn is_allowed(&mut self) -> bool {
        let Found::Tenant(policy) = self.gate.tenants.load(&self.tenant).await else { return false };
        if policy.generation == self.generation {
            return true;
        }
        self.generation = policy.generation;
        let Judged { method, target } = &self.judged;
        let (method, path) = (method.as_str(), target.as_ref().map_or("/", PathAndQuery::path));
        let route = policy.routes.classify(method, path);
        let identity = match &self.proof {
            // the tenant no longer accepts tokens of this issuer
            Some(Proof::Token(verified))
                if !policy.issuers.iter().any(|i| i.issuer == verified.of.issuer) =>
            {
                return false;
            }
            Some(proof) => Identity::of(Arc::clone(proof.user()), &policy.tenant, &policy.cross_tenant),
            None => Identity::Anonymous,
        };
        let decision = decide(policy.anonymous, route, &identity);
        let Some(header) = &self.upgrade else { return matches!(decision, Decision::Allow(_)) };
        let choice =
            policy.routes.upgrade_rule(route, method, path).choose(header.to_str().unwrap_or_default());
        matches!(choice, UpgradeChoice::Forwarded { .. })
            && matches!(choice.decide(decision, &identity), Ok(Decision::Allow(_)))
    }
}

/// The watch over an answer's body. Nothing runs before the answer has to wait for the portal, or has lasted a while.
pub struct AnswerWatch {
    started: Instant,
    state: State,
}

enum State {
    Waiting(Option<AccessWatch>),
    Running(Ended),
}

impl AnswerWatch {
    /// `None` for an answer that is short by what it says of its length. `length` is `None` where it says nothing.
    pub fn of(length: Option<u64>, watch: impl FnOnce() -> AccessWatch) -> Option<Box<Self>> {
        if length.is_some_and(|length| length <= SHORT_ANSWER) {
            return None;
        }
        let state = State::Waiting(Some(watch()));
        Some(Box::new(Self { started: Instant::now(), state }))
    }

    /// `waits`: the portal has sent nothing new.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>, waits: bool) -> Poll<()> {
        if let State::Waiting(watch) = &mut self.state
            && (waits || self.started.elapsed() >= CHECK_EVERY)
            && let Some(watch) = watch.take()
        {
            self.state = State::Running(Box::pin(async {
                // most have come to their end by then
                sleep(CHECK_EVERY).await;
                watch.ended().await;
            }));
        }
        match &mut self.state {
            State::Waiting(_) => Poll::Pending,
            State::Running(ended) => ended.as_mut().poll(cx),
        }
    }
}
