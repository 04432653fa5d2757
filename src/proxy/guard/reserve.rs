//! Counting an attempt before the portal gets it: on each name that it may be for, or on the client where it has none.

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
    request::Parts,
};

use super::{
    Found, Guarding,
    known::{Digest, Known},
    settle,
    shared::Share,
};
use crate::{
    account::{Doors, NotForwarded, PortalClient, PortalSession, Reservation},
    clock,
    domain::{
        guard::{Guard, UserIn},
        tenant::TenantId,
    },
};

/// The parts of a page come all at once with the same credentials of HTTP Basic: that is one attempt, and not one for each.
pub(super) fn credentials(
    known: &Known<Reservation>,
    guard: &Guard,
    (tenant, door): (&TenantId, &TenantId),
    headers: &HeaderMap,
) -> Option<Digest> {
    let sent = headers.get(AUTHORIZATION).filter(|_| guard.user == UserIn::Basic)?;
    Some(known.digest(tenant, door, sent))
}

impl Guarding<'_> {
    /// None for credentials that the portal found right a moment ago.
    pub(super) async fn reserve(
        &self,
        found: &Found<'_>,
        (known, credentials): (&Known<Reservation>, Option<&Digest>),
        parts: &Parts,
    ) -> Result<Vec<Share<Reservation>>, NotForwarded> {
        // without a store there is nothing to count with
        let doors = self.worker.gate.doors.as_ref().ok_or(NotForwarded::Unavailable)?;
        let client = PortalClient { address: self.judgement.address, tenant: &self.policy.tenant };
        if let ([name], Some(digest)) = (found.whose.names.as_slice(), credentials) {
            let reserving = doors.reserve_at_portal(found.door, name, client, clock::millis());
            return Ok(known.join(digest, reserving).await?.into_iter().collect());
        }
        if found.whose.names.is_empty() {
            let session = match found.whose.session() {
                Some(session) => PortalSession::Carried(session),
                None => PortalSession::Cookies(parts.headers.get(COOKIE).map_or(&[], HeaderValue::as_bytes)),
            };
            let reserving = doors.reserve_nameless_at_portal(found.door, client, session, clock::millis());
            return Ok(vec![Share::new(reserving.await?)]);
        }
        on_each_name(doors, found, client).await
    }
}

/// All of them, or none.
async fn on_each_name(
    doors: &Doors,
    found: &Found<'_>,
    client: PortalClient<'_>,
) -> Result<Vec<Share<Reservation>>, NotForwarded> {
    let mut shares = Vec::with_capacity(found.whose.names.len());
    for name in &found.whose.names {
        match doors.reserve_at_portal(found.door, name, client, clock::millis()).await {
            Ok(reservation) => shares.push(Share::new(reservation)),
            Err(refused) => {
                settle::cancel(shares).await;
                return Err(refused);
            }
        }
    }
    Ok(shares)
}
