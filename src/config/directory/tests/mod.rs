//! The directory on real folders, with a small stand-in for `tenant_file`.

/// Waits until it is so, and fails when that takes longer than `limit`.
macro_rules! within {
    ($limit:expr, $so:expr) => {
        let until = Instant::now() + $limit;
        while !$so {
            assert!(Instant::now() < until, "not within {:?}: {}", $limit, stringify!($so));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
}

mod bounds;
mod edits;
mod freshness;
mod listing;
mod problems;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;
use crate::{
    config::{
        load,
        model::{
            AccessLog, AccountRules, Accounts, Admin, AuditLog, Branding, ChangeBudget, Hashing,
            HeaderProfile, Log, Management, Portal, Profile, Server, Session, SignIn, Store, StoreLocation,
            StoreProbe, Tenancy, TenantDefaults, Watch,
        },
        tenant_file::TenantConf,
    },
    domain::{identity::CrossTenant, route::RouteTable},
};

/// What the issue promises for an edit.
const PROMISED: Duration = Duration::from_secs(1);
/// For the other effects of an edit: the poll, where there is one at all, is an hour away.
const SOON: Duration = Duration::from_secs(5);
/// For what has no promise, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_hours(1);
const EVENTS: Watch = Watch::Auto { poll_interval: HOUR };

/// Files in fewer words; what they mean is decided as ever.
pub const READER: Reader = Reader { parse, ..Reader::TENANT_FILE };

fn parse(text: &str, file: &Path) -> Result<TenantConf, Vec<Mistake>> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        vec![Mistake {
            file: file.to_owned(),
            line: Some(error.line()),
            column: Some(error.column()),
            key: String::new(),
            message: error.to_string(),
            remedy: "mend it".into(),
        }]
    })?;
    let mut conf = TenantConf::default();
    if let Some(anonymous) = json["EnableAnonymous"].as_bool() {
        conf.anonymous = Some(anonymous);
    }
    if let Some(host) = json["host"].as_str() {
        conf.hosts.push(host.to_owned());
    }
    Ok(conf)
}

pub fn settings(folder: PathBuf, watch: Watch) -> Settings {
    let some_time = Duration::from_secs(10);
    Settings {
        file: PathBuf::from("deployment.toml"),
        server: Server {
            listen: Vec::new(),
            tls: None,
            workers: 1,
            public_url: None,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            redirect_to_https: false,
            hsts: None,
            proxy_protocol: Vec::new(),
            drain_delay: some_time,
            drain_timeout: some_time,
        },
        admin: Admin { listen: None, token: None, store_probe: StoreProbe::Reads },
        management: Management {
            listen: None,
            tls: None,
            clear_text: false,
            public: false,
            read_only: false,
            admin_roles: Vec::new(),
            allow: Vec::new(),
            budget: ChangeBudget { changes: 1, audit_bytes: 1 },
        },
        portal: Portal { profile: Profile::Generic, upstreams: Vec::new() },
        tenancy: Tenancy {
            folder,
            default_tenant: TenantId::super_tenant(),
            ttl: HOUR,
            negative_ttl: HOUR,
            capacity: 1000,
            watch,
            hosts: HashMap::new(),
            host_pattern: None,
            claimable_hosts: vec!["*".into()],
            issuers_on_loopback: false,
            portal_host: None,
            selection_page: true,
        },
        log: Log { level: "info".into(), access: AccessLog::Off, audit: AuditLog::Off },
        limits: load::parse(
            "[[portal.upstream]]\nurl = \"http://127.0.0.1:1\"",
            Path::new("/d.toml"),
            &BTreeMap::new(),
        )
        .unwrap()
        .limits,
        accounts: Accounts {
            enabled: false,
            store: Store { location: StoreLocation::Sqlite("doorward.db".into()), max_connections: 1 },
            hashing: Hashing { memory: 8192, iterations: 1, parallel: 1, queue: 1 },
        },
        defaults: TenantDefaults {
            anonymous: true,
            issuers: Vec::new(),
            sign_in: SignIn { url: "/login".into() },
            cross_tenant: CrossTenant::Nobody,
            routes: Vec::new(),
            route_table: Arc::new(
                RouteTable::compile(&[], crate::domain::route::generic::fallback()).unwrap(),
            ),
            cors_allowed_origins: Vec::new(),
            websocket_origins: Vec::new(),
            identity_headers: HeaderProfile::None,
            token_cookie: None,
            forward_token: true,
            private_responses: true,
            guards: Vec::new(),
            session: Session::default(),
            rules: AccountRules::default(),
            governance: Arc::default(),
            branding: Branding::default(),
        },
    }
}

pub const OPEN: &str = r#"{"EnableAnonymous": true}"#;
pub const CLOSED: &str = r#"{"EnableAnonymous": false}"#;

struct Place {
    base: TempDir,
    watch: Watch,
    change: fn(&mut Settings),
}

impl Place {
    fn new(watch: Watch) -> Self {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("tenants")).unwrap();
        Self { base, watch, change: |_| {} }
    }

    fn root(&self) -> PathBuf {
        self.base.path().join("tenants")
    }

    fn file(&self, tenant: &str) -> PathBuf {
        self.root().join(tenant).join("tenant-conf.json")
    }

    fn write(&self, tenant: &str, text: &str) {
        fs::create_dir_all(self.root().join(tenant)).unwrap();
        fs::write(self.file(tenant), text).unwrap();
    }

    fn settings(&self) -> Settings {
        let mut settings = settings(self.root(), self.watch);
        (self.change)(&mut settings);
        settings
    }

    fn open(&self) -> Arc<TenantDirectory> {
        TenantDirectory::with_reader(Arc::new(self.settings()), READER, &Handle::current())
    }
}

pub fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

async fn policy(directory: &TenantDirectory, tenant: &str) -> Arc<TenantPolicy> {
    match directory.load(&id(tenant)).await {
        Found::Tenant(policy) => policy,
        Found::Unknown => panic!("{tenant} is unknown"),
    }
}

fn reads(directory: &TenantDirectory) -> u64 {
    directory.status().reads
}
