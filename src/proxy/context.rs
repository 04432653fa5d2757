//! Everything known about one request, from its arrival to its record, whatever is decided about it.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderName, HeaderValue, header, request::Parts};

use super::{
    ProxyState,
    authenticate::{HeaderOwner, RequestAuthentication, VerifiedCredential},
    forwarded::ResolvedClient,
    refusal::ResponseContext,
};
use crate::{
    config::TenantPolicy,
    domain::{
        browser::{self, CallerKind, FetchMetadata},
        client::ClientAddress,
        identity::Identity,
        route::RouteKind,
    },
    sync::client_limits::ClientState,
};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Where a request comes from.
pub struct NetworkOrigin {
    /// The address that opened the connection.
    pub peer: IpAddr,
    pub client: ResolvedClient,
    /// Neither the connection nor a trusted proxy reports HTTPS.
    pub is_cleartext: bool,
    pub client_state: Arc<ClientState>,
    /// Whether metrics and the log count it. `false` for `explain`, which sends no request.
    pub is_counted: bool,
}

pub struct RequestContext {
    /// The address that opened the connection.
    pub peer: IpAddr,
    pub client: ResolvedClient,
    pub is_cleartext: bool,
    pub is_counted: bool,
    /// Of the client, for counters by address.
    pub address: ClientAddress,
    /// The limits that apply to the request: of the authenticated user, or else of the client's address.
    pub client_state: Arc<ClientState>,
    pub caller_kind: CallerKind,
    pub response_context: ResponseContext,
    /// The client accepts trailers.
    pub accepts_trailers: bool,
    /// Anonymous as long as no credential is verified.
    pub identity: Identity,
    pub credential: Option<VerifiedCredential>,
    pub header_owner: HeaderOwner,
}

impl RequestContext {
    pub fn new(origin: NetworkOrigin, parts: &Parts, request_id: HeaderValue) -> Self {
        // the response format that the caller expects, as long as the route is not known
        let caller_kind = classify_caller(parts, false, RouteKind::Page);
        let response_context = ResponseContext {
            wants_page: caller_kind != CallerKind::Program,
            route_kind: RouteKind::Api,
            origin: parts.headers.get(header::ORIGIN).cloned(),
            languages: parts.headers.get(header::ACCEPT_LANGUAGE).cloned(),
            request_id,
        };
        Self {
            peer: origin.peer,
            address: origin.client.address.into(),
            client: origin.client,
            is_cleartext: origin.is_cleartext,
            is_counted: origin.is_counted,
            client_state: origin.client_state,
            caller_kind,
            response_context,
            accepts_trailers: false,
            identity: Identity::Anonymous,
            credential: None,
            header_owner: HeaderOwner::Doorward,
        }
    }

    /// The request id as text.
    pub fn request_id(&self) -> &str {
        self.response_context.request_id.to_str().unwrap_or_default()
    }

    pub const fn set_caller_kind(&mut self, caller_kind: CallerKind) {
        self.caller_kind = caller_kind;
        self.response_context.wants_page = !matches!(caller_kind, CallerKind::Program);
    }

    /// A user of another tenant keeps the limits of the address.
    pub fn set_authentication(
        &mut self,
        authentication: RequestAuthentication,
        policy: &TenantPolicy,
        state: &ProxyState,
    ) {
        let RequestAuthentication { credential, header_owner } = authentication;
        if let Some(credential) = &credential {
            let user = Arc::clone(credential.user());
            self.identity = Identity::of(user, &policy.tenant, &policy.access.cross_tenant);
            if let Identity::User(_) = self.identity {
                self.client_state = Arc::clone(credential.client_state(&state.clients));
            }
        }
        self.credential = credential;
        self.header_owner = header_owner;
    }
}

pub fn classify_caller(parts: &Parts, upgrade: bool, route_kind: RouteKind) -> CallerKind {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let asked = FetchMetadata {
        method: parts.method.as_str(),
        sec_fetch_mode: text(&SEC_FETCH_MODE),
        sec_fetch_dest: text(&SEC_FETCH_DEST),
        accept: text(&header::ACCEPT),
        x_requested_with: text(&X_REQUESTED_WITH),
        upgrade,
    };
    browser::classify_caller(&asked, route_kind)
}
