//! Request context that `proxy` attaches to a request and `web` reads: one type for pages, one for the management API.

use std::sync::Arc;

use http::StatusCode;

use crate::{
    config::TenantPolicy,
    domain::{client::ClientAddress, page::StatusPage, tenant::TenantId},
};

#[derive(Debug, Clone)]
pub struct PageContext {
    /// The tenant's policy; or the error page if the request selects no tenant.
    pub tenant: Result<Arc<TenantPolicy>, StatusPage>,
    /// Address of the client, as far as trusted proxies report it.
    pub address: ClientAddress,
    pub https: bool,
    /// The origins (scheme, host and port) under which browsers reach Doorward.
    pub own_origins: Vec<String>,
    /// More than one tenant exists.
    pub several_tenants: bool,
}

/// Context of a request to the management API.
#[derive(Debug, Clone)]
pub struct ApiContext {
    pub address: ClientAddress,
    /// The transport is confidential: TLS up to a trusted proxy or to Doorward, or a loopback connection.
    pub is_confidential: bool,
    /// The origins of Doorward's own pages.
    pub own_origins: Vec<String>,
    pub request_id: String,
    /// The tenant that path, query, header and, on a public listener, the host name select.
    pub named_tenant: Result<Option<TenantId>, InvalidRequest>,
}

/// Why a request is rejected before it reaches the management API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRequest {
    pub status: StatusCode,
    pub detail: String,
}

/// Why one of Doorward's own pages has answered 429 or 503, for the access log: in the answer's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRefusal {
    pub reason: &'static str,
}

/// User and tenant of a request to the management API, for the access log; placed in the extensions of the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiActor {
    pub user: Option<String>,
    pub tenant: Option<TenantId>,
}
