//! The proxy under test: the real configuration loader and the real boot, on its own ports.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use doorward::internals::{boot::RunningProxy, clock::Clock, config::Mistake};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    answer::Answer,
    configuration::{self, Configuration},
    idp::Idp,
    pki::server_certificate,
    portal::Portal,
    request::{Endpoint, RequestBuilder, TlsClients},
    tenant_files::{Edit, TenantFiles},
    wire::Wire,
};

pub struct TestProxy {
    pub running: RunningProxy,
    pub configuration: Configuration,
    pub tenants: TenantFiles,
    dir: TempDir,
    pub(super) endpoint: Endpoint,
}

pub struct TestProxyBuilder {
    pub(super) configuration: Configuration,
    tenants: TenantFiles,
    pub(super) dir: TempDir,
    tls_clients: Option<TlsClients>,
    clock: Clock,
}

impl TestProxy {
    pub fn in_front_of(portal: &Portal) -> TestProxyBuilder {
        let home = tempfile::tempdir().unwrap();
        let tenants = TenantFiles { folder: home.path().join("tenants") };
        std::fs::create_dir(&tenants.folder).unwrap();
        let mut configuration = Configuration::before(portal);
        configuration.set("tenancy.folder", tenants.folder.display().to_string());
        TestProxyBuilder { configuration, tenants, dir: home, tls_clients: None, clock: Clock::system() }
    }

    pub fn get(&self, target: &str) -> RequestBuilder<'static> {
        self.request("GET", target)
    }

    pub fn post(&self, target: &str) -> RequestBuilder<'static> {
        self.request("POST", target)
    }

    pub fn request(&self, method: &str, target: &str) -> RequestBuilder<'static> {
        RequestBuilder::new(self.endpoint.clone(), method, target)
    }

    /// A connection on which these bytes have been sent.
    pub fn raw(&self, bytes: impl AsRef<[u8]>) -> Wire {
        let mut wire = Wire::connect(self.addr());
        wire.write(bytes);
        wire
    }

    pub fn addr(&self) -> SocketAddr {
        self.endpoint.http
    }

    pub fn authority(&self) -> String {
        self.addr().to_string()
    }

    /// A page of the private port.
    #[track_caller]
    pub fn admin(&self, target: &str) -> Answer {
        self.admin_request("GET", target).send()
    }

    #[track_caller]
    pub fn admin_request(&self, method: &str, target: &str) -> RequestBuilder<'static> {
        let http = self.running.admin.expect("a private port");
        RequestBuilder::new(Endpoint { http, https: None, tls_clients: None }, method, target)
    }

    /// A connection to the management API on which these bytes have been sent.
    pub fn raw_management(&self, bytes: impl AsRef<[u8]>) -> Wire {
        let mut wire = Wire::connect(self.running.management.expect("a management listener"));
        wire.write(bytes);
        wire
    }

    /// The management API at its own listener.
    #[track_caller]
    pub fn management_request(&self, method: &str, target: &str) -> RequestBuilder<'static> {
        let http = self.running.management.expect("a management listener");
        RequestBuilder::new(
            Endpoint { http, https: Some(http), tls_clients: self.endpoint.tls_clients.clone() },
            method,
            target,
        )
    }

    /// The folder of `deployment.toml` and of the certificates.
    pub fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub fn edit_tenant(&self, tenant: &str, conf: &Value) {
        self.edit_tenant_by(Edit::RenameOver, tenant, &conf.to_string());
    }

    pub fn edit_tenant_by(&self, how: Edit, tenant: &str, text: &str) {
        self.tenants.write(tenant, text, how);
    }

    /// Changes one key of `deployment.toml`.
    pub fn edit_deployment(&mut self, path: &str, value: impl Into<Value>) {
        self.configuration.set(path, value);
        self.configuration.write(&self.dir.path().join("deployment.toml"));
    }

    /// Replaces `deployment.toml` by this text.
    pub fn replace_deployment(&self, text: &str) {
        std::fs::write(self.dir.path().join("deployment.toml"), text).unwrap();
    }

    /// The certificate a new TLS connection is shown, DER.
    pub fn server_certificate(&self) -> Vec<u8> {
        server_certificate(self.endpoint.https.expect("a proxy started with .tls()"))
    }

    /// Whether an anonymous request may read this tenant's list of APIs.
    pub fn allows_anonymous(&self, tenant: &str) -> bool {
        self.get("/api/am/devportal/v3/apis").tenant(tenant).api_client().send().status == 200
    }
}

impl TestProxyBuilder {
    /// The folder of `deployment.toml`.
    pub fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub fn tenant(self, tenant: &str, conf: &Value) -> Self {
        self.tenant_text(tenant, &conf.to_string())
    }

    /// A tenant's file byte for byte, also a broken one.
    pub fn tenant_text(self, tenant: &str, text: &str) -> Self {
        self.tenants.write(tenant, text, Edit::InPlace);
        self
    }

    /// Laid down as that kind of edit will change it.
    pub fn tenant_by(self, how: Edit, tenant: &str, conf: &Value) -> Self {
        self.tenants.write(tenant, &conf.to_string(), how);
        self
    }

    /// For tests that edit tenants' files by themselves.
    pub fn tenant_files(&self) -> TenantFiles {
        TenantFiles { folder: self.tenants.folder.clone() }
    }

    /// The anonymous mode of tenants that do not set it.
    pub fn anonymous(self, on: bool) -> Self {
        self.setting("apim.devportal.enable_anonymous_mode", on)
    }

    /// A clock that the test can move forward.
    pub fn clock(self, clock: &Clock) -> Self {
        Self { clock: clock.clone(), ..self }
    }

    pub fn sign_in(self, url: &str) -> Self {
        self.setting("sign_in.url", url)
    }

    /// An issuer for every tenant.
    pub fn issuer(mut self, idp: &Idp) -> Self {
        self.configuration.push("issuer", configuration::issuer(idp));
        self
    }

    pub fn introspecting(mut self, idp: &Idp) -> Self {
        self.configuration.push("issuer", configuration::introspecting_issuer(idp));
        self
    }

    /// Portal profile `generic` with these rules: `("GET /docs/**", "open")`. Requests name their tenant as with WSO2's.
    pub fn generic(self, rules: &[(&str, &str)]) -> Self {
        let rule =
            |(pattern, access): &(&str, &str)| json!({"match": pattern, "access": access, "as": "page"});
        let rules: Vec<Value> = rules.iter().map(rule).collect();
        self.setting("portal.profile", "generic")
            .setting("tenancy.named_by_request", true)
            .setting("access.route", rules)
    }

    /// One more open route, with WebSockets.
    pub fn websockets_at(self, pattern: &str) -> Self {
        self.route(json!({"match": pattern, "access": "open", "upgrade": true}))
    }

    /// One more route.
    pub fn route(mut self, route: Value) -> Self {
        self.configuration.push("access.route", route);
        self
    }

    pub fn trusting(self, network: &str) -> Self {
        self.setting("server.trusted_proxies", vec![network])
    }

    pub fn setting(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.configuration.set(path, value);
        self
    }

    /// TLS beside clear text, with a certificate of its own.
    pub fn tls(mut self) -> Self {
        let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (cert, key) = (self.dir.path().join("cert.pem"), self.dir.path().join("key.pem"));
        std::fs::write(&cert, certificate.cert.pem()).unwrap();
        std::fs::write(&key, certificate.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.cert.der().clone()).unwrap();
        let client = |protocol: &[u8]| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let mut config = builder.unwrap().with_root_certificates(roots.clone()).with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            Arc::new(config)
        };
        self.tls_clients = Some(TlsClients { http1: client(b"http/1.1"), http2: client(b"h2") });
        self.setting("server.tls.listen", vec!["127.0.0.1:0"])
            .setting("server.tls.cert_file", cert.display().to_string())
            .setting("server.tls.key_file", key.display().to_string())
    }

    #[track_caller]
    pub fn start(self) -> TestProxy {
        self.try_start().unwrap_or_else(|mistakes| panic!("the configuration is refused: {mistakes:#?}"))
    }

    /// The result of the loader for this configuration.
    pub fn try_start(self) -> Result<TestProxy, Vec<Mistake>> {
        let file = self.dir.path().join("deployment.toml");
        self.configuration.write(&file);
        let settings = doorward::internals::config::load::load(&file, &BTreeMap::new())?;
        let running = doorward::internals::boot::start(settings, self.clock).expect("the proxy starts");
        let endpoint = Endpoint {
            http: running.http[0],
            https: running.https.first().copied(),
            tls_clients: self.tls_clients,
        };
        Ok(TestProxy {
            running,
            configuration: self.configuration,
            tenants: self.tenants,
            dir: self.dir,
            endpoint,
        })
    }
}

/// An edit is in force within this: the promise of the README.
pub const RELOAD_LIMIT: Duration = Duration::from_secs(1);
