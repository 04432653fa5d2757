//! The registry on real folders, with a small substitute for `tenant_file`.

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
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::runtime::Handle;

use super::*;
use crate::{
    config::{
        Mistake, Settings, TenantPolicy, load,
        model::{FileWatchMode, MissingFilePolicy, TenancySettings},
        tenant_file::TenantConf,
    },
    domain::tenant::TenantId,
};

/// The promised time until an edit is in force.
const PROMISED: Duration = Duration::from_secs(1);
/// For the other effects of an edit: the poll, where there is one at all, is an hour away.
const SOON: Duration = Duration::from_secs(5);
/// For what has no promise, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_hours(1);
const EVENTS: FileWatchMode = FileWatchMode::Auto { poll_interval: HOUR };

/// A shorter file syntax; it is resolved as in production.
pub fn parse(text: &str, file: &Path) -> Result<TenantConf, Vec<Mistake>> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        vec![Mistake {
            file: file.to_owned(),
            line: Some(error.line()),
            column: Some(error.column()),
            key: String::new(),
            message: error.to_string(),
            remedy: "fix it".into(),
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

const DEPLOYMENT: &str = "[apim.devportal]\nenable_anonymous_mode = true\n[portal]\nprofile = \"generic\"\n[[portal.upstream]]\nurl = \"http://127.0.0.1:1\"\n\
    [sign_in]\nurl = \"/login\"\n[admin]\nlisten = \"off\"\n";

pub fn settings(folder: PathBuf, watch: FileWatchMode) -> Settings {
    let settings = load::parse(DEPLOYMENT, Path::new("deployment.toml"), &BTreeMap::new()).unwrap();
    let tenancy = TenancySettings {
        folder,
        watch,
        ttl: HOUR,
        negative_ttl: HOUR,
        claimable_hosts: vec!["*".into()],
        capacity: 1000,
        selection_page: true,
        on_missing: MissingFilePolicy::Inherit,
        ..settings.tenancy
    };
    Settings { tenancy, ..settings }
}

pub const OPEN: &str = r#"{"EnableAnonymous": true}"#;
pub const CLOSED: &str = r#"{"EnableAnonymous": false}"#;

struct TenantsFixture {
    base: TempDir,
    watch: FileWatchMode,
    change: fn(&mut Settings),
}

impl TenantsFixture {
    fn new(watch: FileWatchMode) -> Self {
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

    fn open(&self) -> Arc<TenantRegistry> {
        TenantRegistry::with_parser(Arc::new(self.settings()), parse, &Handle::current())
    }
}

pub fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

async fn policy(registry: &TenantRegistry, tenant: &str) -> Arc<TenantPolicy> {
    match registry.load(&id(tenant)).await {
        TenantLookup::Tenant(policy) => policy,
        TenantLookup::Unknown => panic!("{tenant} is unknown"),
    }
}

fn reads(registry: &TenantRegistry) -> u64 {
    registry.status().reads
}
