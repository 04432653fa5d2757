//! What the gate has found out about a request to one of our own pages. `proxy` puts it into the request, `web` reads it.

use std::{net::IpAddr, sync::Arc};

use crate::{config::TenantPolicy, domain::page::Page};

#[derive(Debug, Clone)]
pub struct Visit {
    /// Whose portal it is; or the page that says why it is nobody's.
    pub tenant: Result<Arc<TenantPolicy>, Page>,
    /// The visitor's, as far as proxies before us may be believed.
    pub address: IpAddr,
    pub https: bool,
    /// The origins under which browsers see us: scheme, host and port.
    pub own_origins: Vec<String>,
    /// There are more tenants than this one.
    pub several_tenants: bool,
}
