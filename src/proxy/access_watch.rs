//! Closes an upgraded connection or a streaming response once the same request would be refused: its token or session has
//! expired, or the tenant's policy has changed.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Method, request::Parts, uri::PathAndQuery};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    ProxyState, authenticate::VerifiedCredential, context::RequestContext, evaluate::RoutedRequest,
    exchange::Exchange,
};
use crate::{
    domain::{
        access::{Decision, decide},
        identity::Identity,
        path::readings::Readings,
        tenant::TenantId,
        upgrade::UpgradeChoice,
    },
    tenants::TenantLookup,
};

/// Interval between two comparisons of the policy with the one that allowed the request: one look-up in memory.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Responses of a known length up to this are not watched: all of it was read while the request was allowed.
const MAX_UNWATCHED_BYTES: u64 = 1 << 20;

/// Resolves when the request would no longer be allowed.
pub type AccessEndFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Method and target the decision was made for, before the request is rewritten for the portal.
pub struct OriginalRequest {
    method: Method,
    target: Option<PathAndQuery>,
}

impl OriginalRequest {
    pub fn of(parts: &Parts) -> Self {
        Self { method: parts.method.clone(), target: parts.uri.path_and_query().cloned() }
    }
}

/// The policy, credential and route that allowed a request.
pub struct AccessWatch {
    state: Arc<ProxyState>,
    tenant: TenantId,
    /// The generation of the policy that allowed the request.
    generation: u64,
    original: OriginalRequest,
    /// The protocols the connection was switched to.
    upgrade: Option<HeaderValue>,
    credential: Option<VerifiedCredential>,
    /// When the token expires.
    expires: Option<Instant>,
}

impl AccessWatch {
    pub fn new(
        exchange: &Exchange<'_>,
        context: &RequestContext,
        routed: &RoutedRequest,
        original: OriginalRequest,
    ) -> Self {
        let expires = match &context.credential {
            // an expiry beyond the end of time is none
            Some(VerifiedCredential::Token(verified)) => {
                Instant::now().checked_add(verified.user.expires_at.saturating_since(exchange.now))
            }
            Some(VerifiedCredential::Session(_)) | None => None,
        };
        Self {
            state: Arc::clone(&exchange.worker.state),
            tenant: routed.policy.tenant.clone(),
            generation: routed.policy.generation,
            original,
            upgrade: routed.allowed_upgrade.clone(),
            credential: context.credential.clone(),
            expires,
        }
    }

    /// Returns when the request would no longer be allowed.
    pub async fn ended(mut self) {
        let (state, credential) = (Arc::clone(&self.state), self.credential.clone());
        let session_ended = async {
            match (&state.accounts, &credential) {
                (Some(accounts), Some(VerifiedCredential::Session(live))) => {
                    let sessions = &accounts.sessions;
                    sessions.wait_for_end(&sessions.open(live), &state.clock).await;
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
                () = sleep(CHECK_INTERVAL) => {}
            }
            if !self.is_allowed().await {
                return;
            }
        }
    }

    /// Evaluates the request again under the current policy.
    async fn is_allowed(&mut self) -> bool {
        let TenantLookup::Tenant(policy) = self.state.tenants.load(&self.tenant).await else { return false };
        if policy.generation == self.generation {
            return true;
        }
        self.generation = policy.generation;
        let OriginalRequest { method, target } = &self.original;
        let (method, path) = (method.as_str(), target.as_ref().map_or("/", PathAndQuery::path));
        let readings = Readings::of(path);
        let route = policy.routes.strictest(method, &readings);
        let identity = match &self.credential {
            // the tenant no longer accepts tokens of this issuer
            Some(VerifiedCredential::Token(verified))
                if !policy.issuers.iter().any(|i| i.issuer == verified.source.issuer) =>
            {
                return false;
            }
            Some(credential) => {
                Identity::of(Arc::clone(credential.user()), &policy.tenant, &policy.access.cross_tenant)
            }
            None => Identity::Anonymous,
        };
        let decision = decide(policy.anonymous, route, &identity);
        let Some(header) = &self.upgrade else { return matches!(decision, Decision::Allow(_)) };
        let rule = policy.routes.upgrade_rule(route, method, &readings);
        let choice = rule.choose(header.to_str().unwrap_or_default());
        matches!(choice, UpgradeChoice::Forwarded { .. })
            && matches!(choice.decide(decision, &identity), Ok(Decision::Allow(_)))
    }
}

/// Watches the body of a response. Nothing runs before the response waits for the portal or has lasted for a while.
pub struct ResponseWatch {
    started: Instant,
    state: ResponseWatchState,
}

enum ResponseWatchState {
    Waiting(Option<AccessWatch>),
    Running(AccessEndFuture),
}

impl ResponseWatch {
    /// `None` for a short response, by its announced length. `length` is `None` if none is announced.
    pub fn of(length: Option<u64>, watch: impl FnOnce() -> AccessWatch) -> Option<Box<Self>> {
        if length.is_some_and(|length| length <= MAX_UNWATCHED_BYTES) {
            return None;
        }
        let state = ResponseWatchState::Waiting(Some(watch()));
        Some(Box::new(Self { started: Instant::now(), state }))
    }

    /// `waits`: the portal has sent no new data.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>, waits: bool) -> Poll<()> {
        if let ResponseWatchState::Waiting(watch) = &mut self.state
            && (waits || self.started.elapsed() >= CHECK_INTERVAL)
            && let Some(watch) = watch.take()
        {
            self.state = ResponseWatchState::Running(Box::pin(async {
                // most responses have ended by then
                sleep(CHECK_INTERVAL).await;
                watch.ended().await;
            }));
        }
        match &mut self.state {
            ResponseWatchState::Waiting(_) => Poll::Pending,
            ResponseWatchState::Running(ended) => ended.as_mut().poll(cx),
        }
    }
}
