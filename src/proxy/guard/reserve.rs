//! Counting an attempt before the portal gets it: on each name that it may be for, or on the client where it has none.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
    request::Parts,
};

use super::{
    Found, Guarding,
    known::{Digest, Known},
    pending::PendingAttempt,
    settle,
    shared::Share,
};
use crate::{
    account::{Doors, NotForwarded, PortalClient, PortalSession, Reservation},
    clock,
    domain::{
        fairness::Resource,
        guard::{Guard, Outcome, UserIn},
        identity::Identity,
        tenant::TenantId,
    },
    sync::client_limits::Permit,
    telemetry::metrics::Guarded,
};

/// The parts of a page come all at once with the same credentials of HTTP Basic: that is one attempt, and not one for each.
pub(super) fn credentials(
    known: &Known<PendingAttempt>,
    guard: &Guard,
    (tenant, door): (&TenantId, &TenantId),
    headers: &HeaderMap,
) -> Option<Digest> {
    let sent = headers.get(AUTHORIZATION).filter(|_| guard.user == UserIn::Basic)?;
    Some(known.digest(tenant, door, sent))
}

/// The lockout reservations of one attempt. Dropping a reservation counts the attempt as failed.
pub(super) struct AttemptReservations {
    /// One for each name, or one in all for an attempt without a name. Empty for HTTP Basic credentials that are known to
    /// be right.
    pub of_names: Vec<Share<PendingAttempt>>,
    /// For the portal session of an attempt with a name, or for the client of one that also has a one-time code.
    pub of_session: Option<Reservation>,
}

impl AttemptReservations {
    const fn of_names(of_names: Vec<Share<PendingAttempt>>) -> Self {
        Self { of_names, of_session: None }
    }

    /// Writes the outcome to the audit log, once for each name.
    pub fn record(&self, outcome: Guarded) {
        for share in &self.of_names {
            share.look(|attempt| attempt.record(outcome));
        }
    }

    /// Releases all reservations, because the portal has not received the attempt.
    pub async fn cancel(self) {
        settle::settle_session(self.of_session, Outcome::Passed, None).await;
        settle::cancel(self.of_names).await;
    }
}

impl Guarding<'_> {
    /// None for credentials that the portal found right a moment ago.
    pub(super) async fn reserve(
        &self,
        found: &Found<'_>,
        (known, credentials): (&Known<PendingAttempt>, Option<&Digest>),
        parts: &Parts,
    ) -> Result<AttemptReservations, NotForwarded> {
        // without a store there is nothing to count with
        let doors = self.worker.gate.doors.as_ref().ok_or(NotForwarded::Unavailable)?;
        let client = PortalClient { address: self.judgement.address, tenant: &self.policy.tenant };
        if let ([name], Some(digest)) = (found.whose.names.as_slice(), credentials) {
            let reserving = async {
                let permit = self.permit()?;
                let reserving = doors.reserve_at_portal(found.door, name, client, clock::millis());
                Ok(PendingAttempt::new(reserving.await?, client.address, permit))
            };
            let shared = known.join(digest, reserving).await?;
            return Ok(AttemptReservations::of_names(shared.into_iter().collect()));
        }
        let permit = self.permit()?;
        let cookies = PortalSession::Cookies(parts.headers.get(COOKIE).map_or(&[], HeaderValue::as_bytes));
        if found.whose.names.is_empty() {
            let session = found.whose.session().map_or(cookies, PortalSession::Carried);
            let reserving = doors.reserve_nameless_at_portal(found.door, client, session, clock::millis());
            let pending = PendingAttempt::new(reserving.await?, client.address, permit);
            return Ok(AttemptReservations::of_names(vec![Share::new(pending)]));
        }
        let of_names = on_each_name(doors, found, client, &permit).await?;
        let now = clock::millis();
        let reserved = match found.whose.session() {
            Some(session) => doors.reserve_session_at_portal(found.door, client, session, now).await,
            None if found.has_code => {
                doors.reserve_nameless_at_portal(found.door, client, cookies, now).await
            }
            None => return Ok(AttemptReservations::of_names(of_names)),
        };
        match reserved {
            Ok(of_session) => Ok(AttemptReservations { of_names, of_session: Some(of_session) }),
            Err(refused) => {
                settle::cancel(of_names).await;
                Err(refused)
            }
        }
    }

    /// Counts the sign-in for its client, until the permit is dropped.
    fn permit(&self) -> Result<Arc<Permit>, NotForwarded> {
        let &Self { worker, settings, judgement, .. } = self;
        // clients behind a proxy that is not listed cannot be distinguished: one of them would block all others
        let is_shared = judgement.address.is_unlisted_proxy && judgement.identity == Identity::Anonymous;
        let client = if is_shared { worker.gate.clients.all() } else { &judgement.client_state };
        let share = settings.limits.client.share(Resource::GuardedSignIn);
        client.acquire(Resource::GuardedSignIn, 1, share).map(Arc::new).map_err(NotForwarded::Limited)
    }
}

/// All of them, or none.
async fn on_each_name(
    doors: &Doors,
    found: &Found<'_>,
    client: PortalClient<'_>,
    permit: &Arc<Permit>,
) -> Result<Vec<Share<PendingAttempt>>, NotForwarded> {
    let mut shares = Vec::with_capacity(found.whose.names.len());
    for name in &found.whose.names {
        match doors.reserve_at_portal(found.door, name, client, clock::millis()).await {
            Ok(reservation) => {
                let pending = PendingAttempt::new(reservation, client.address, Arc::clone(permit));
                shares.push(Share::new(pending));
            }
            Err(refused) => {
                settle::cancel(shares).await;
                return Err(refused);
            }
        }
    }
    Ok(shares)
}
