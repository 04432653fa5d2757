//! What the gate has found out about a request to one of our own pages. `proxy` puts it into the request, `web` reads it.

use std::sync::Arc;

use http::StatusCode;

use crate::{
    config::TenantPolicy,
    domain::{client::ClientAddress, page::Page, tenant::TenantId},
};

#[derive(Debug, Clone)]
pub struct Visit {
    /// Whose portal it is; or the page that says why it is nobody's.
    pub tenant: Result<Arc<TenantPolicy>, Page>,
    /// The visitor's, as far as proxies before us may be believed.
    pub address: ClientAddress,
    pub https: bool,
    /// The origins under which browsers see us: scheme, host and port.
    pub own_origins: Vec<String>,
    /// There are more tenants than this one.
    pub several_tenants: bool,
}

/// What has been found out about a request to the management API.
#[derive(Debug, Clone)]
pub struct Call {
    pub address: ClientAddress,
    /// Nobody on the way could read it: it came encrypted, through a proxy that says so, or from this machine.
    pub is_private: bool,
    /// The origins of pages that are this server's own.
    pub own_origins: Vec<String>,
    pub request_id: String,
    /// The tenant that path, query, header and, on a public listener, the host name.
    pub named: Result<Option<TenantId>, NotUnderstood>,
}

/// Why a request has no one meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUnderstood {
    pub status: StatusCode,
    pub detail: String,
}

/// Why one of Doorward's own pages has answered 429 or 503, for the access log: in the answer's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRefusal {
    pub reason: &'static str,
}

/// Who a request to the management API was from and whom it was about, for the access log: in the answer's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    pub user: Option<String>,
    pub tenant: Option<TenantId>,
}
