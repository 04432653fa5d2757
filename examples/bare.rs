#[global_allocator] static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
use std::{sync::Arc, time::Duration, path::PathBuf};
use doorward::{config::model::{self as m, *}, proxy::*, server::drain, domain::{tenant::TenantId, identity::CrossTenant}};
fn main() {
    let up: u16 = std::env::var("LAB_UPSTREAM_URL").unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let port: u16 = std::env::var("LAB_PLAIN_PORT").unwrap().parse().unwrap();
    let s = Settings { file: PathBuf::new(), server: m::Server { listen: vec![([127,0,0,1], port).into()], tls: None, workers: 1, public_url: None, trusted_proxies: vec![], drain_delay: Duration::ZERO, drain_timeout: Duration::ZERO }, admin: Admin { listen: None },
      portal: Portal { profile: Profile::Generic, upstreams: vec![Arc::new(Upstream { path: "/".into(), target: Target::Tcp { host: "127.0.0.1".into(), port: up }, http2: false, host: None, connect_timeout: Duration::from_secs(2), header_timeout: Duration::from_secs(60), idle_timeout: Duration::from_secs(60), keep_alive: Duration::from_secs(4) })] },
      tenancy: Tenancy { folder: PathBuf::new(), default_tenant: TenantId::super_tenant(), ttl: Duration::from_secs(900), negative_ttl: Duration::from_secs(10), capacity: 1, watch: Watch::Off, hosts: Default::default(), host_pattern: None, selection_page: false },
      log: Log { level: "info".into(), access: m::AccessLog::Off }, limits: Limits { max_connections: 20000, max_header_bytes: 65536, max_headers: 100, max_token_bytes: 8192, max_upgrades: 10, header_timeout: Duration::from_secs(10), keep_alive: Duration::from_secs(75) },
      defaults: TenantDefaults { anonymous: true, issuers: vec![], sign_in: SignIn { url: String::new() }, cross_tenant: CrossTenant::Nobody, routes: vec![], cors_allowed_origins: vec![], websocket_origins: vec![], identity_headers: HeaderProfile::None, token_cookie: None, branding: Branding::default() } };
    let gate = Arc::new(Gate { settings: arc_swap::ArcSwap::from_pointee(s), metrics: Default::default(), access_log: Default::default(), upgrades: Default::default() });
    let (_c, d) = drain::drain();
    let settings = gate.settings.load_full();
    let mut server = doorward::server::Server::start(&settings, &gate, None, &d).unwrap();
    server.join();
}
