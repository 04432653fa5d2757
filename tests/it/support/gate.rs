//! The gate under test: the real configuration loader and the real boot, on ports of its own.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use doorward::{boot::Running, config::Mistake};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    answer::Answer,
    ask::{Ask, Door, TlsTrust},
    configuration::{self, Configuration},
    idp::Idp,
    pki::shown_certificate,
    portal::Portal,
    tenant_files::{Edit, TenantFiles},
    wire::Wire,
};

pub struct Gate {
    pub running: Running,
    pub configuration: Configuration,
    pub tenants: TenantFiles,
    home: TempDir,
    pub(super) door: Door,
}

pub struct GateBuilder {
    pub(super) configuration: Configuration,
    tenants: TenantFiles,
    pub(super) home: TempDir,
    trust: Option<TlsTrust>,
}

impl Gate {
    pub fn before(portal: &Portal) -> GateBuilder {
        let home = tempfile::tempdir().unwrap();
        let tenants = TenantFiles { folder: home.path().join("tenants") };
        std::fs::create_dir(&tenants.folder).unwrap();
        let mut configuration = Configuration::before(portal);
        configuration.set("tenancy.folder", tenants.folder.display().to_string());
        GateBuilder { configuration, tenants, home, trust: None }
    }

    pub fn get(&self, target: &str) -> Ask<'static> {
        self.ask("GET", target)
    }

    pub fn post(&self, target: &str) -> Ask<'static> {
        self.ask("POST", target)
    }

    pub fn ask(&self, method: &str, target: &str) -> Ask<'static> {
        Ask::new(self.door.clone(), method, target)
    }

    /// A connection on which these bytes have been sent.
    pub fn raw(&self, bytes: impl AsRef<[u8]>) -> Wire {
        let mut wire = Wire::connect(self.addr());
        wire.write(bytes);
        wire
    }

    pub fn addr(&self) -> SocketAddr {
        self.door.http
    }

    pub fn authority(&self) -> String {
        self.addr().to_string()
    }

    /// A page of the private port.
    #[track_caller]
    pub fn admin(&self, target: &str) -> Answer {
        self.admin_ask("GET", target).send()
    }

    #[track_caller]
    pub fn admin_ask(&self, method: &str, target: &str) -> Ask<'static> {
        let http = self.running.admin.expect("a private port");
        Ask::new(Door { http, https: None, trust: None }, method, target)
    }

    /// A connection to the management API on which these bytes have been sent.
    pub fn manage_raw(&self, bytes: impl AsRef<[u8]>) -> Wire {
        let mut wire = Wire::connect(self.running.management.expect("a management listener"));
        wire.write(bytes);
        wire
    }

    /// The management API at its own listener.
    #[track_caller]
    pub fn manage(&self, method: &str, target: &str) -> Ask<'static> {
        let http = self.running.management.expect("a management listener");
        Ask::new(Door { http, https: Some(http), trust: self.door.trust.clone() }, method, target)
    }

    /// Where `deployment.toml` is.
    pub fn folder(&self) -> &std::path::Path {
        self.home.path()
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
        self.configuration.write(&self.home.path().join("deployment.toml"));
    }

    /// Replaces `deployment.toml` by this text.
    pub fn break_deployment(&self, text: &str) {
        std::fs::write(self.home.path().join("deployment.toml"), text).unwrap();
    }

    /// The folder of `deployment.toml` and of the certificates.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The certificate a new TLS connection is shown, DER.
    pub fn shown_certificate(&self) -> Vec<u8> {
        shown_certificate(self.door.https.expect("a gate started with .tls()"))
    }

    /// Whether a stranger may see this tenant's list of APIs.
    pub fn lets_strangers_in(&self, tenant: &str) -> bool {
        self.get("/api/am/devportal/v3/apis").tenant(tenant).api_client().send().status == 200
    }
}

impl GateBuilder {
    /// The folder of `deployment.toml`.
    pub fn folder(&self) -> &std::path::Path {
        self.home.path()
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

    /// The anonymous mode of tenants that say nothing about it.
    pub fn anonymous(self, on: bool) -> Self {
        self.setting("apim.devportal.enable_anonymous_mode", on)
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

    /// Portal profile `generic` with these rules: `("GET /docs/**", "open")`.
    pub fn generic(self, rules: &[(&str, &str)]) -> Self {
        let rule =
            |(pattern, access): &(&str, &str)| json!({"match": pattern, "access": access, "as": "page"});
        let rules: Vec<Value> = rules.iter().map(rule).collect();
        self.setting("portal.profile", "generic").setting("access.route", rules)
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
        let (cert, key) = (self.home.path().join("cert.pem"), self.home.path().join("key.pem"));
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
        self.trust = Some(TlsTrust { http1: client(b"http/1.1"), http2: client(b"h2") });
        self.setting("server.tls.listen", vec!["127.0.0.1:0"])
            .setting("server.tls.cert_file", cert.display().to_string())
            .setting("server.tls.key_file", key.display().to_string())
    }

    #[track_caller]
    pub fn start(self) -> Gate {
        self.try_start().unwrap_or_else(|mistakes| panic!("the configuration is refused: {mistakes:#?}"))
    }

    /// What the loader says to this configuration.
    pub fn try_start(self) -> Result<Gate, Vec<Mistake>> {
        let file = self.home.path().join("deployment.toml");
        self.configuration.write(&file);
        let settings = doorward::config::load::load(&file, &BTreeMap::new())?;
        let running = doorward::boot::start(settings).expect("the gate starts");
        let door = Door { http: running.http[0], https: running.https.first().copied(), trust: self.trust };
        Ok(Gate { running, configuration: self.configuration, tenants: self.tenants, home: self.home, door })
    }
}

/// An edit is in force within this: the promise of the README.
pub const FLIP: Duration = Duration::from_secs(1);
