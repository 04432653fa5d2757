//! Reserves an attempt before it is forwarded: on each user name it may be for, or on the client if it has none.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
    request::Parts,
};

use super::{
    ForwardedAttempt, GuardedForward,
    basic_credentials::{BasicCredentials, CredentialDigest},
    outcome,
    pending::PendingAttempt,
    shared_attempt::AttemptShare,
};
use crate::{
    account::{
        CountingFault, PortalLoginClient, PortalLoginRefusal, PortalLoginService, PortalSession, Reservation,
    },
    clock::Clock,
    domain::{
        fairness::Resource,
        guard::{AttemptOutcome, LoginGuard, LoginNameSource},
        identity::Identity,
        tenant::TenantId,
    },
    proxy::ProxyState,
    sync::client_limits::Permit,
    telemetry::metrics::GuardedLoginResult,
};

/// A browser loads the parts of a page concurrently with the same credentials of HTTP Basic: that is one attempt.
pub(super) fn credential_digest(
    basic_credentials: &BasicCredentials<PendingAttempt>,
    guard: &LoginGuard,
    tenant: &TenantId,
    counting_tenant: &TenantId,
    headers: &HeaderMap,
) -> Option<CredentialDigest> {
    let sent = headers.get(AUTHORIZATION).filter(|_| guard.name_source == LoginNameSource::Basic)?;
    Some(basic_credentials.digest(tenant, counting_tenant, sent))
}

/// The lockout reservations of one attempt. Dropping a reservation counts the attempt as failed.
pub(super) struct AttemptReservations {
    /// One for each name, or one in all for an attempt without a name. Empty for HTTP Basic credentials that are known to
    /// be right.
    pub of_names: Vec<AttemptShare<PendingAttempt>>,
    /// For the portal session of an attempt with a name, or for the client of one that also has a one-time code.
    pub of_session: Option<Reservation>,
}

impl AttemptReservations {
    const fn of_names(of_names: Vec<AttemptShare<PendingAttempt>>) -> Self {
        Self { of_names, of_session: None }
    }

    /// Writes the outcome to the audit log, once for each name.
    pub fn record(&self, outcome: GuardedLoginResult) {
        for share in &self.of_names {
            share.with_reservation(|attempt| attempt.record(outcome));
        }
    }

    /// Releases all reservations, because the portal has not received the attempt.
    pub async fn cancel(self) {
        outcome::record_session_outcome(self.of_session, AttemptOutcome::Neutral, None).await;
        outcome::release(self.of_names).await;
    }
}

impl GuardedForward<'_> {
    /// Empty for credentials that the portal accepted recently.
    pub(super) async fn reserve(
        &self,
        attempt: &ForwardedAttempt<'_>,
        basic_credentials: &BasicCredentials<PendingAttempt>,
        credentials: Option<&CredentialDigest>,
        parts: &Parts,
    ) -> Result<AttemptReservations, PortalLoginRefusal> {
        // without a store no attempt can be counted
        let ProxyState { accounts, clock, .. } = self.exchange.state();
        let accounts = accounts.as_ref().ok_or(CountingFault::NoStore)?;
        let logins = &accounts.portal_login;
        let client = PortalLoginClient { address: self.context.address, tenant: &self.routed.policy.tenant };
        if let ([name], Some(digest)) = (attempt.names.names.as_slice(), credentials) {
            let reserving = async {
                let permit = self.permit()?;
                let reserving = logins.reserve(attempt.counting_tenant, name, client, clock.now());
                Ok(PendingAttempt::new(reserving.await?, client.address, permit))
            };
            let shared = basic_credentials.join(digest, reserving).await?;
            return Ok(AttemptReservations::of_names(shared.into_iter().collect()));
        }
        let permit = self.permit()?;
        let cookies = PortalSession::Cookies(parts.headers.get(COOKIE).map_or(&[], HeaderValue::as_bytes));
        if attempt.names.names.is_empty() {
            let session = attempt.names.session().map_or(cookies, PortalSession::Carried);
            let reserving = logins.reserve_nameless(attempt.counting_tenant, client, session, clock.now());
            let pending = PendingAttempt::new(reserving.await?, client.address, permit);
            return Ok(AttemptReservations::of_names(vec![AttemptShare::new(pending)]));
        }
        let of_names = reserve_each_name(logins, attempt, client, &permit, clock).await?;
        let now = clock.now();
        let reserved = match attempt.names.session() {
            Some(session) => logins.reserve_session(attempt.counting_tenant, client, session, now).await,
            None if attempt.has_code => {
                logins.reserve_nameless(attempt.counting_tenant, client, cookies, now).await
            }
            None => return Ok(AttemptReservations::of_names(of_names)),
        };
        match reserved {
            Ok(of_session) => Ok(AttemptReservations { of_names, of_session: Some(of_session) }),
            Err(refused) => {
                outcome::release(of_names).await;
                Err(refused)
            }
        }
    }

    /// Counts the sign-in for its client, until the permit is dropped.
    fn permit(&self) -> Result<Arc<Permit>, PortalLoginRefusal> {
        let &Self { exchange, context, .. } = self;
        // clients behind a proxy that is not listed cannot be distinguished: one of them would block all others
        let is_shared = context.address.is_unlisted_proxy && context.identity == Identity::Anonymous;
        let client = if is_shared { exchange.state().clients.all() } else { &context.client_state };
        let share = exchange.settings.limits.client.share(Resource::GuardedSignIn);
        client.acquire(Resource::GuardedSignIn, 1, share).map(Arc::new).map_err(PortalLoginRefusal::Limited)
    }
}

/// All of them, or none.
async fn reserve_each_name(
    logins: &PortalLoginService,
    attempt: &ForwardedAttempt<'_>,
    client: PortalLoginClient<'_>,
    permit: &Arc<Permit>,
    clock: &Clock,
) -> Result<Vec<AttemptShare<PendingAttempt>>, PortalLoginRefusal> {
    let mut shares = Vec::with_capacity(attempt.names.names.len());
    for name in &attempt.names.names {
        match logins.reserve(attempt.counting_tenant, name, client, clock.now()).await {
            Ok(reservation) => {
                let pending = PendingAttempt::new(reservation, client.address, Arc::clone(permit));
                shares.push(AttemptShare::new(pending));
            }
            Err(refused) => {
                outcome::release(shares).await;
                return Err(refused);
            }
        }
    }
    Ok(shares)
}
