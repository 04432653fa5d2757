//! Step 1 of a request: which client it counts for, and whether that client's limits and the load of the process allow it.
//!
//! Refused first are anonymous requests; sessions and tokens that are known in memory have limits of their own, so a flood
//! from the same address, or from everywhere, does not stop them. Nothing is verified here: a refusal must stay cheap.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, header, request::Parts};

use super::{
    ClientConnection, Entrance, Gate,
    answer::Refusal,
    forwarded::{self, Client},
    judge::{Judgement, Source},
    overload::Overload,
    select,
};
use crate::{
    clock,
    config::{
        Settings, TenantPolicy, descriptors::MANAGEMENT_CONNECTIONS, directory::Found, hosts::HostFound,
    },
    domain::{
        buffer_load::{BufferShortage, STALL_TIMEOUT},
        client::ClientAddress,
        fairness::{Limit, Resource, Share, is_overloaded},
        tenant::{NamedTenant, Place},
    },
    sync::client_limits::{ClientRegistry, ClientState, Exceeded, Permit},
    token::bearer::{self, Credential, Places},
};

/// The client that opens a connection, and the permit that counts the connection. A trusted proxy has no limits: the clients
/// that it names have them.
pub fn connecting(
    gate: &Gate,
    settings: &Settings,
    entrance: Entrance,
    peer: IpAddr,
) -> Result<(Arc<ClientState>, Permit), Exceeded> {
    // bytes that wait in buffers have one budget for all listeners
    let client = of_peer(&gate.clients, settings, peer);
    let counted = match entrance {
        Entrance::Public => Arc::clone(&client),
        Entrance::Management => of_peer(&gate.management_clients, settings, peer),
    };
    let permit = counted.acquire(Resource::Connection, 1, connection_share(settings, entrance))?;
    Ok((client, permit))
}

fn of_peer(clients: &ClientRegistry, settings: &Settings, peer: IpAddr) -> Arc<ClientState> {
    if is_trusted(settings, peer) { Arc::clone(clients.all()) } else { named(clients, settings, peer) }
}

/// The management listener has a total of its own, so that connections to the public listeners do not use it up.
fn connection_share(settings: &Settings, entrance: Entrance) -> Share {
    let public = settings.limits.client.connections;
    match entrance {
        Entrance::Public => public,
        Entrance::Management => {
            let most = Share::fraction(MANAGEMENT_CONNECTIONS, 2);
            Share { client: public.client.min(most), all: MANAGEMENT_CONNECTIONS }
        }
    }
}

fn is_trusted(settings: &Settings, peer: IpAddr) -> bool {
    settings.server.trusted_proxies.iter().any(|net| net.contains(&peer))
}

fn named(clients: &ClientRegistry, settings: &Settings, address: IpAddr) -> Arc<ClientState> {
    if settings.limits.client.is_exempt(address) {
        Arc::clone(clients.all())
    } else {
        clients.by_address(address)
    }
}

/// Where a request comes from, as far as proxies before us are trusted. Before `hygiene::clean`, which removes their
/// headers. Also whether it came in clear text.
pub fn client(settings: &Settings, (peer, tls): (IpAddr, bool), headers: &HeaderMap) -> (Client, bool) {
    let mut client = forwarded::client(peer, tls, headers, &settings.server.trusted_proxies);
    let came_in_clear = !client.https;
    // then TLS ends somewhere before us, whatever the last hop is
    client.https |= settings.server.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    (client, came_in_clear)
}

/// The same with the limits that count for it.
pub fn source(
    gate: &Gate,
    settings: &Settings,
    connection: &ClientConnection,
    headers: &HeaderMap,
) -> Source {
    let peer = connection.peer.ip();
    let (client, came_in_clear) = client(settings, (peer, connection.tls), headers);
    let client_state = client_state(gate, settings, connection, client.address, headers);
    Source { peer, client, came_in_clear, client_state, is_counted: true }
}

/// The client for which a request counts: that of the connection, or the one that a trusted proxy names.
fn client_state(
    gate: &Gate,
    settings: &Settings,
    connection: &ClientConnection,
    client: IpAddr,
    headers: &HeaderMap,
) -> Arc<ClientState> {
    let peer = connection.peer.ip();
    if client != peer {
        named(&gate.clients, settings, client)
    } else if is_trusted(settings, peer) && forwarded::may_name_client(headers) {
        // contradictory or unreadable: a client that sends such headers through a proxy must not have the proxy's exemption
        gate.clients.by_address(peer)
    } else {
        Arc::clone(connection.client())
    }
}

/// The same at the management listener, where requests are counted apart.
pub fn administrator_state(
    gate: &Gate,
    settings: &Settings,
    peer: IpAddr,
    client: IpAddr,
    headers: &HeaderMap,
) -> Arc<ClientState> {
    let clients = &gate.management_clients;
    if client != peer {
        named(clients, settings, client)
    } else if is_trusted(settings, peer) && forwarded::may_name_client(headers) {
        clients.by_address(peer)
    } else {
        of_peer(clients, settings, peer)
    }
}

/// The address for which failed sign-ins count.
pub fn counted_address(
    settings: &Settings,
    (peer, client): (IpAddr, IpAddr),
    forwarding: bool,
) -> ClientAddress {
    if forwarding && !is_trusted(settings, peer) { ClientAddress::of(client, true) } else { client.into() }
}

/// Reports a peer that sends a proxy's headers but is not listed: its clients cannot be distinguished.
pub fn report_unlisted_proxy(gate: &Gate, settings: &Settings, peer: IpAddr, forwarding: bool) {
    if !forwarding || is_trusted(settings, peer) {
        return;
    }
    gate.metrics.unlisted_proxy_requests.inc();
    if gate.unlisted_proxies.is_new(peer) {
        tracing::warn!(
            %peer,
            "a peer that is not in server.trusted_proxies sends headers of a proxy (X-Forwarded-For or the like): if it is one, \
             list it; until then its clients share one address"
        );
    }
}

/// Peers that were reported; bounded, so that clients cannot fill the log.
#[derive(Debug, Default)]
pub struct UnlistedProxies(Mutex<Vec<IpAddr>>);

impl UnlistedProxies {
    const MOST: usize = 16;

    fn is_new(&self, peer: IpAddr) -> bool {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = reported.len() < Self::MOST && !reported.contains(&peer);
        if is_new {
            reported.push(peer);
        }
        is_new
    }
}

/// The permit counts the request for its client until the answer has ended.
pub fn admit(
    gate: &Gate,
    settings: &Settings,
    client: &Arc<ClientState>,
    arrived: Instant,
) -> Result<Permit, Refusal> {
    let limits = &settings.limits;
    gate.clients
        .take_request(client, limits.client.request_rate, arrived)
        .map_err(|wait| Refusal::ClientLimit { limit: Limit::RequestRate, retry_after: wait })?;
    let permit = acquire(client, Resource::Request, settings)?;
    let all = gate.clients.all();
    let overloaded = is_overloaded(all.held(Resource::Request), limits.max_requests)
        || is_overloaded(all.held(Resource::Connection), limits.max_connections);
    // a client without limits of its own is the operator's: health checks of a load balancer are refused last
    if overloaded && !Arc::ptr_eq(client, all) {
        Err(Refusal::Overloaded(Overload::AnonymousReserve))
    } else {
        Ok(permit)
    }
}

/// The same at the management listener, whose clients are counted apart.
pub fn admit_administrator(
    gate: &Gate,
    settings: &Settings,
    client: &Arc<ClientState>,
    arrived: Instant,
) -> Result<Permit, Refusal> {
    gate.management_clients
        .take_request(client, settings.limits.client.request_rate, arrived)
        .map_err(|wait| Refusal::ClientLimit { limit: Limit::RequestRate, retry_after: wait })?;
    acquire(client, Resource::Request, settings)
}

/// What one client may hold of a resource; the refusal says whose limit was reached.
pub fn acquire(
    client: &Arc<ClientState>,
    resource: Resource,
    settings: &Settings,
) -> Result<Permit, Refusal> {
    let acquired = client.acquire(resource, 1, settings.limits.client.share(resource));
    acquired.map_err(|exceeded| limit_reached(resource, exceeded))
}

pub fn limit_reached(resource: Resource, exceeded: Exceeded) -> Refusal {
    const SOON: Duration = Duration::from_secs(1);
    match exceeded {
        Exceeded::Client => Refusal::ClientLimit { limit: Limit::Held(resource), retry_after: SOON },
        Exceeded::All => Refusal::Overloaded(Overload::Total(resource)),
    }
}

/// Rejects a request when too many bytes wait in buffers for its client, or for all clients.
pub fn check_buffers(gate: &Gate, judgement: &Judgement) -> Result<(), Refusal> {
    let (client, all) = (&judgement.client_state, gate.clients.all());
    let has_priority = judgement.identity.user().is_some() || Arc::ptr_eq(client, all);
    gate.buffers.load(client).check_request(has_priority).map_err(|shortage| match shortage {
        BufferShortage::Client => {
            Refusal::ClientLimit { limit: Limit::Held(Resource::BufferedBytes), retry_after: STALL_TIMEOUT }
        }
        BufferShortage::All => {
            gate.metrics.requests_shed.inc();
            Refusal::Overloaded(Overload::Total(Resource::BufferedBytes))
        }
    })
}

/// A request that was refused as anonymous, once more as that of a known user.
#[cold]
pub async fn admit_known_user(
    gate: &Gate,
    settings: &Settings,
    source: &Source,
    parts: &Parts,
    arrived: Instant,
    refusal: Refusal,
) -> Result<Permit, Refusal> {
    let Some(user) = known_user(gate, settings, source, parts).await else { return Err(refusal) };
    let limits = &settings.limits.client;
    gate.clients
        .take_request(&user, limits.request_rate, arrived)
        .map_err(|wait| Refusal::ClientLimit { limit: Limit::RequestRate, retry_after: wait })?;
    acquire(&user, Resource::Request, settings)
}

/// The user of a session or a token that was verified before, from memory.
async fn known_user(
    gate: &Gate,
    settings: &Settings,
    source: &Source,
    parts: &Parts,
) -> Option<Arc<ClientState>> {
    if let Some(doors) = &gate.doors
        && let Some(live) = doors.sessions().known(&parts.headers, source.client.https, clock::millis()).await
    {
        return Some(gate.clients.by_user(&live.user));
    }
    let policy = known_policy(gate, settings, source, parts)?;
    let places = Places {
        token_cookie: policy.token_cookie.as_deref(),
        ..Places::header_only(settings.limits.max_token_bytes)
    };
    let Ok(Credential::Bearer(token)) = bearer::extract(&parts.headers, &places) else { return None };
    let verified = gate.tokens.cached(&policy, &token, clock::now())?.ok()?;
    Some(gate.clients.by_user(&verified.user))
}

/// The policy of the tenant that the request names, or of the default tenant.
fn known_policy(
    gate: &Gate,
    settings: &Settings,
    source: &Source,
    parts: &Parts,
) -> Option<Arc<TenantPolicy>> {
    let sent = || parts.headers.get(header::HOST)?.to_str().ok();
    let host = source.client.host.as_deref().or_else(sent).unwrap_or_default();
    let by_host = match gate.tenants.by_host(host) {
        HostFound::Tenant(tenant) => Some(NamedTenant { tenant, place: Place::Host }),
        _ => None,
    };
    let named = select::named(parts.uri.path(), parts.uri.query(), &parts.headers, by_host).ok()?;
    match gate.tenants.cached(named.as_ref().unwrap_or(&settings.tenancy.default_tenant))? {
        Found::Tenant(policy) => Some(policy),
        Found::Unknown => None,
    }
}
