//! Step 1 of a request: selects the client it counts for and checks that client's limits and the load of the process.
//!
//! Anonymous requests are refused first; known sessions and tokens have limits of their own, so a flood
//! from the same address, or from everywhere, does not stop them. Nothing is verified here: a refusal must stay cheap.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, request::Parts};

use super::{
    ClientConnection, ListenerKind, ProxyState,
    connection::AdmittedClient,
    context::{NetworkOrigin, RequestContext},
    forwarded::{self, ResolvedClient},
    overload::Overload,
    refusal::Refusal,
    tenant_selection,
};
use crate::{
    config::{Settings, TenantPolicy, descriptors::MANAGEMENT_CONNECTIONS, model::AuthorizationOwner},
    domain::{
        buffer_load::{BufferShortage, STALL_TIMEOUT},
        client::ClientAddress,
        fairness::{Limit, Resource, ResourceLimit, is_overloaded},
        tenant::{RequestedTenant, TenantSource},
    },
    sync::client_limits::{ClientRegistry, ClientState, Exceeded, Permit},
    tenants::{HostLookup, TenantLookup},
    token::bearer::{self, Credential, TokenLocations},
};

/// The client that opens a connection, with the permit that counts the connection. A trusted proxy has no limits: the clients
/// that it names have them.
pub fn admit_connection(
    state: &ProxyState,
    settings: &Settings,
    listener: ListenerKind,
    peer: IpAddr,
) -> Result<AdmittedClient, Exceeded> {
    // bytes that wait in buffers have one budget for all listeners
    let client_state = of_peer(&state.clients, settings, peer);
    let counted = match listener {
        ListenerKind::Public => Arc::clone(&client_state),
        ListenerKind::Management => of_peer(&state.management_clients, settings, peer),
    };
    let permit = counted.acquire(Resource::Connection, 1, connection_share(settings, listener))?;
    Ok(AdmittedClient { client_state, permit: Some(permit) })
}

fn of_peer(clients: &ClientRegistry, settings: &Settings, peer: IpAddr) -> Arc<ClientState> {
    if is_trusted(settings, peer) {
        Arc::clone(clients.all())
    } else {
        client_state_by_address(clients, settings, peer)
    }
}

/// The management listener has a total of its own, so that connections to the public listeners do not use it up.
fn connection_share(settings: &Settings, listener: ListenerKind) -> ResourceLimit {
    let public = settings.limits.client.connections;
    match listener {
        ListenerKind::Public => public,
        ListenerKind::Management => {
            let most = ResourceLimit::fraction(MANAGEMENT_CONNECTIONS, 2);
            ResourceLimit { client: public.client.min(most), all: MANAGEMENT_CONNECTIONS }
        }
    }
}

fn is_trusted(settings: &Settings, peer: IpAddr) -> bool {
    forwarded::is_trusted(peer, &settings.server.trusted_proxies)
}

fn client_state_by_address(
    clients: &ClientRegistry,
    settings: &Settings,
    address: IpAddr,
) -> Arc<ClientState> {
    if settings.limits.client.is_exempt(address) {
        Arc::clone(clients.all())
    } else {
        clients.by_address(address)
    }
}

/// Address, scheme and host of the client as far as proxies are trusted. Called before `validation::validate`, which removes their
/// headers. The flag tells whether the request arrived in cleartext.
pub fn resolve_client(
    settings: &Settings,
    peer: IpAddr,
    tls: bool,
    headers: &HeaderMap,
) -> (ResolvedClient, bool) {
    let mut client = forwarded::resolve_client(peer, tls, headers, &settings.server.trusted_proxies);
    let is_cleartext = !client.https;
    // then TLS is terminated before Doorward, whatever the last hop uses
    client.https |= settings.server.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    (client, is_cleartext)
}

/// The same with the limits of the client.
pub fn resolve_network_origin(
    state: &ProxyState,
    settings: &Settings,
    connection: &ClientConnection,
    headers: &HeaderMap,
) -> NetworkOrigin {
    let peer = connection.peer.ip();
    let (client, is_cleartext) = match connection.listener {
        ListenerKind::Public => resolve_client(settings, peer, connection.tls, headers),
        // `server.public_url` is about the public listeners
        ListenerKind::Management => {
            let trusted = &settings.server.trusted_proxies;
            let client = forwarded::resolve_client(peer, connection.tls, headers, trusted);
            let is_cleartext = !client.https;
            (client, is_cleartext)
        }
    };
    let client_state = client_state(state, settings, connection, client.address, headers);
    NetworkOrigin { peer, client, is_cleartext, client_state, is_counted: true }
}

/// The client for which a request counts: that of the connection, or the one that a trusted proxy names. At the management
/// listener requests are counted apart.
fn client_state(
    state: &ProxyState,
    settings: &Settings,
    connection: &ClientConnection,
    client: IpAddr,
    headers: &HeaderMap,
) -> Arc<ClientState> {
    let peer = connection.peer.ip();
    let clients = match connection.listener {
        ListenerKind::Public => &state.clients,
        ListenerKind::Management => &state.management_clients,
    };
    if client != peer {
        client_state_by_address(clients, settings, client)
    } else if is_trusted(settings, peer) && forwarded::may_name_client(headers) {
        // contradictory or unreadable: a client that sends such headers through a proxy must not get the proxy's exemption
        clients.by_address(peer)
    } else {
        match connection.listener {
            ListenerKind::Public => Arc::clone(connection.client_state()),
            ListenerKind::Management => of_peer(clients, settings, peer),
        }
    }
}

/// Called for a request with a proxy's headers. If its peer is not listed, its clients cannot be distinguished: that is marked
/// at the address for which failed sign-ins count, and reported.
pub fn mark_unlisted_proxy(state: &ProxyState, settings: &Settings, context: &mut RequestContext) {
    let peer = context.peer;
    if is_trusted(settings, peer) {
        return;
    }
    context.address = ClientAddress::of(context.client.address, true);
    if !context.is_counted {
        return;
    }
    state.metrics.unlisted_proxy_requests.inc();
    if state.unlisted_proxies.mark_reported(peer) {
        tracing::warn!(
            %peer,
            "a peer that is not in server.trusted_proxies sends headers of a proxy (X-Forwarded-For or the like): if it is one, \
             list it; until then its clients share one address"
        );
    }
}

/// Reported peers; bounded, so that clients cannot fill the log.
#[derive(Debug, Default)]
pub struct UnlistedProxies(Mutex<Vec<IpAddr>>);

impl UnlistedProxies {
    const MAX_REPORTED: usize = 16;

    fn mark_reported(&self, peer: IpAddr) -> bool {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = reported.len() < Self::MAX_REPORTED && !reported.contains(&peer);
        if is_new {
            reported.push(peer);
        }
        is_new
    }
}

/// The permit counts the request for its client until the answer has ended.
pub fn admit(
    state: &ProxyState,
    settings: &Settings,
    client: &Arc<ClientState>,
    arrived: Instant,
) -> Result<Permit, Refusal> {
    let limits = &settings.limits;
    let permit = take_request(&state.clients, client, settings, arrived)?;
    let all = state.clients.all();
    let overloaded = is_overloaded(all.held(Resource::Request), limits.max_requests)
        || is_overloaded(all.held(Resource::Connection), limits.max_connections);
    // the operator exempts load balancers from limits: their health checks are refused last
    if overloaded && !Arc::ptr_eq(client, all) {
        Err(Refusal::Overloaded(Overload::AnonymousReserve))
    } else {
        Ok(permit)
    }
}

/// The same at the management listener, whose clients are counted apart.
pub fn admit_administrator(
    state: &ProxyState,
    settings: &Settings,
    client: &Arc<ClientState>,
    arrived: Instant,
) -> Result<Permit, Refusal> {
    take_request(&state.management_clients, client, settings, arrived)
}

/// Counts a request by the rate and the concurrency of its client.
fn take_request(
    clients: &ClientRegistry,
    client: &Arc<ClientState>,
    settings: &Settings,
    arrived: Instant,
) -> Result<Permit, Refusal> {
    clients
        .take_request(client, settings.limits.client.request_rate, arrived)
        .map_err(|wait| Refusal::ClientLimit { limit: Limit::RequestRate, retry_after: wait })?;
    acquire(client, Resource::Request, settings)
}

/// Acquires a resource for one client; the refusal names the limit that was reached.
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
        Exceeded::Client => Refusal::ClientLimit { limit: Limit::Concurrency(resource), retry_after: SOON },
        Exceeded::All => Refusal::Overloaded(Overload::Total(resource)),
    }
}

/// Rejects a request when too many bytes wait in buffers for its client, or for all clients.
pub fn check_buffers(state: &ProxyState, context: &RequestContext) -> Result<(), Refusal> {
    let (client, all) = (&context.client_state, state.clients.all());
    let has_priority = context.identity.user().is_some() || Arc::ptr_eq(client, all);
    state.buffers.load(client).check_request(has_priority).map_err(|shortage| match shortage {
        BufferShortage::Client => Refusal::ClientLimit {
            limit: Limit::Concurrency(Resource::BufferedBytes),
            retry_after: STALL_TIMEOUT,
        },
        BufferShortage::All => {
            state.metrics.requests_shed.inc();
            Refusal::Overloaded(Overload::Total(Resource::BufferedBytes))
        }
    })
}

/// Admits a request that was refused as anonymous if its user is known; `None` if not.
#[cold]
pub async fn admit_known_user(
    state: &ProxyState,
    settings: &Settings,
    client: &ResolvedClient,
    parts: &Parts,
    arrived: Instant,
) -> Option<Result<Permit, Refusal>> {
    let user = known_user(state, settings, client, parts).await?;
    Some(take_request(&state.clients, &user, settings, arrived))
}

/// The user of a session or of a token that was verified before, from memory.
async fn known_user(
    state: &ProxyState,
    settings: &Settings,
    client: &ResolvedClient,
    parts: &Parts,
) -> Option<Arc<ClientState>> {
    let now = state.clock.now();
    if let Some(accounts) = &state.accounts
        && let Some(live) = accounts.sessions.cached_for_request(&parts.headers, client.https, now).await
    {
        return Some(state.clients.by_user(&live.user));
    }
    let policy = known_policy(state, settings, client, parts)?;
    let places = TokenLocations {
        authorization: policy.access.authorization != AuthorizationOwner::Portal,
        token_cookie: policy.access.token_cookie.as_deref(),
        ..TokenLocations::header_only(settings.limits.max_token_bytes)
    };
    let Ok(Credential::Bearer(token)) = bearer::extract(&parts.headers, &places) else { return None };
    let verified = state.tokens.cached(&policy, &token, now)?.ok()?;
    Some(state.clients.by_user(&verified.user))
}

/// The policy of the tenant that the request names, or of the default tenant.
fn known_policy(
    state: &ProxyState,
    settings: &Settings,
    client: &ResolvedClient,
    parts: &Parts,
) -> Option<Arc<TenantPolicy>> {
    let host = client.requested_host(&parts.headers).unwrap_or_default();
    let by_host = match state.tenants.find_by_host(host) {
        HostLookup::Tenant(tenant) => Some(RequestedTenant { tenant, source: TenantSource::Host }),
        _ => None,
    };
    let named = if settings.tenancy.named_by_request {
        tenant_selection::select_tenant(parts.uri.path(), parts.uri.query(), &parts.headers, by_host).ok()?
    } else {
        by_host.map(|named| named.tenant)
    };
    match state.tenants.cached(named.as_ref().unwrap_or(&settings.tenancy.default_tenant))? {
        TenantLookup::Tenant(policy) => Some(policy),
        TenantLookup::Unknown => None,
    }
}
