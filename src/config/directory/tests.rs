//! The directory on real folders, with a small stand-in for `tenant_file`.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use http::HeaderValue;
use tempfile::TempDir;

use super::*;
use crate::{
    config::{
        model::{
            AccessLog, Admin, Branding, HeaderProfile, Limits, Log, Portal, Profile, Server, SignIn, Tenancy,
            TenantDefaults, Watch,
        },
        tenant_file::TenantConf,
    },
    domain::{
        identity::CrossTenant,
        route::{Access, Route, RouteTable, Surface},
    },
};

/// What the issue promises for an edit.
const PROMISED: Duration = Duration::from_secs(1);
/// For the other effects of an edit: the poll, where there is one at all, is an hour away.
const SOON: Duration = Duration::from_secs(5);
/// For what has no promise, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_hours(1);
const EVENTS: Watch = Watch::Auto { poll_interval: HOUR };

const READER: Reader = Reader { parse, resolve, closed };

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

fn resolve(settings: &Settings, tenant: &TenantId, conf: &TenantConf, generation: u64) -> TenantPolicy {
    let fallback = Route { access: Access::Anonymous, surface: Surface::Page, rule: "".into() };
    TenantPolicy {
        tenant: tenant.clone(),
        generation,
        anonymous: conf.anonymous.unwrap_or(settings.defaults.anonymous),
        issuers: Vec::new(),
        sign_in: settings.defaults.sign_in.clone(),
        cross_tenant: CrossTenant::Nobody,
        routes: Arc::new(RouteTable::compile(&[], fallback).unwrap()),
        cors_allowed_origins: Vec::new(),
        websocket_origins: Vec::new(),
        identity_headers: HeaderProfile::None,
        token_cookie: None,
        branding: Branding::default(),
        header_value: HeaderValue::from_str(tenant.as_str()).unwrap(),
        problem: None,
    }
}

fn closed(settings: &Settings, tenant: &TenantId, problem: Mistake, generation: u64) -> Arc<TenantPolicy> {
    let mut policy = resolve(settings, tenant, &TenantConf::default(), generation);
    policy.anonymous = false;
    policy.problem = Some(problem);
    Arc::new(policy)
}

fn settings(folder: PathBuf, watch: Watch) -> Settings {
    let some_time = Duration::from_secs(10);
    Settings {
        file: PathBuf::from("deployment.toml"),
        server: Server {
            listen: Vec::new(),
            tls: None,
            workers: 1,
            public_url: None,
            trusted_proxies: Vec::new(),
            drain_delay: some_time,
            drain_timeout: some_time,
        },
        admin: Admin { listen: None },
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
            selection_page: true,
        },
        log: Log { level: "info".into(), access: AccessLog::Off },
        limits: Limits {
            max_connections: 10,
            max_header_bytes: 10,
            max_headers: 10,
            max_token_bytes: 10,
            max_upgrades: 10,
            header_timeout: some_time,
            keep_alive: some_time,
        },
        defaults: TenantDefaults {
            anonymous: true,
            issuers: Vec::new(),
            sign_in: SignIn { url: "/login".into() },
            cross_tenant: CrossTenant::Nobody,
            routes: Vec::new(),
            cors_allowed_origins: Vec::new(),
            websocket_origins: Vec::new(),
            identity_headers: HeaderProfile::None,
            token_cookie: None,
            branding: Branding::default(),
        },
    }
}

const OPEN: &str = r#"{"EnableAnonymous": true}"#;
const CLOSED: &str = r#"{"EnableAnonymous": false}"#;

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

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

async fn policy(directory: &TenantDirectory, tenant: &str) -> Arc<TenantPolicy> {
    match directory.load(&id(tenant)).await {
        Found::Tenant(policy) => policy,
        Found::Unknown => panic!("{tenant} is unknown"),
    }
}

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

fn reads(directory: &TenantDirectory) -> u64 {
    directory.status().reads
}

#[tokio::test]
async fn a_tenant_is_its_folder() {
    let place = Place::new(Watch::Off);
    place.write("acme.com", CLOSED);
    fs::create_dir(place.root().join("inherits.com")).unwrap();
    fs::create_dir(place.root().join("UPPER.com")).unwrap();
    let directory = place.open();
    assert!(!policy(&directory, "acme.com").await.anonymous);
    assert!(policy(&directory, "inherits.com").await.anonymous);
    assert!(policy(&directory, "carbon.super").await.anonymous, "the default tenant needs no folder");
    assert!(matches!(directory.load(&id("upper.com")).await, Found::Unknown));
    assert!(directory.several());
    let names: Vec<_> = directory.names().await.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["acme.com", "carbon.super", "inherits.com"]);
}

#[tokio::test]
async fn without_a_folder_for_tenants_there_is_the_default_one() {
    let place = Place::new(EVENTS);
    fs::remove_dir(place.root()).unwrap();
    let directory = place.open();
    assert!(policy(&directory, "carbon.super").await.problem.is_none());
    assert!(!directory.several());
    assert_eq!(directory.names().await.len(), 1);
    // and it may come later
    place.write("acme.com", OPEN);
    place.write("carbon.super", CLOSED);
    within!(SOON, !policy(&directory, "carbon.super").await.anonymous);
    within!(SOON, directory.several());
}

/// A way to change the file of `tenant` from open to closed.
type Edit = (&'static str, fn(&Place, &str));

fn edits() -> Vec<Edit> {
    vec![
        ("plain edit", |place, tenant| fs::write(place.file(tenant), CLOSED).unwrap()),
        ("rename over", |place, tenant| {
            fs::write(place.root().join(tenant).join(".swp"), CLOSED).unwrap();
            fs::rename(place.root().join(tenant).join(".swp"), place.file(tenant)).unwrap();
        }),
        ("backup, then a new file", |place, tenant| {
            fs::rename(place.file(tenant), place.file(tenant).with_extension("bak")).unwrap();
            fs::write(place.file(tenant), CLOSED).unwrap();
        }),
        ("the folder exchanged", |place, tenant| {
            let new = place.base.path().join("new");
            fs::create_dir(&new).unwrap();
            fs::write(new.join("tenant-conf.json"), CLOSED).unwrap();
            fs::rename(place.root().join(tenant), place.base.path().join("old")).unwrap();
            fs::rename(&new, place.root().join(tenant)).unwrap();
        }),
        ("the folder removed and made again", |place, tenant| {
            fs::remove_dir_all(place.root().join(tenant)).unwrap();
            place.write(tenant, CLOSED);
        }),
    ]
}

#[tokio::test]
async fn every_way_of_editing_flips_the_policy_within_a_second() {
    for (name, edit) in edits() {
        let place = Place::new(EVENTS);
        place.write("acme.com", OPEN);
        place.write("other.com", OPEN);
        let directory = place.open();
        let before = policy(&directory, "acme.com").await;
        let other = policy(&directory, "other.com").await;
        assert!(before.anonymous);
        edit(&place, "acme.com");
        within!(PROMISED, !policy(&directory, "acme.com").await.anonymous);
        let after = policy(&directory, "acme.com").await;
        assert!(after.problem.is_none(), "{name}: {:?}", after.problem);
        assert!(after.generation > before.generation, "{name}");
        assert!(Arc::ptr_eq(&other, &policy(&directory, "other.com").await), "{name} touched another tenant");
        // and the watch is still where the file is
        fs::write(place.file("acme.com"), OPEN).unwrap();
        within!(PROMISED, policy(&directory, "acme.com").await.anonymous);
    }
}

/// What the kubelet does: a new folder, a new link, renamed over `..data`; then the old folder goes.
fn swap(mount: &Path, version: usize, file: &str, text: &str) {
    let folder = mount.join(format!("..v{version}"));
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    symlink(format!("..v{version}"), mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    if version > 0 {
        fs::remove_dir_all(mount.join(format!("..v{}", version - 1))).unwrap();
    }
}

#[tokio::test]
async fn kubernetes_swaps_are_seen_wherever_the_mount_is() {
    // the mount point, the path in the volume, the link to make
    let layouts: [(&str, &str, Option<&str>); 3] = [
        ("tenants/acme.com", "tenant-conf.json", Some("tenant-conf.json")),
        ("tenants", "acme.com/tenant-conf.json", Some("acme.com")),
        ("", "mounted/acme.com/tenant-conf.json", None),
    ];
    for (mount, file, link) in layouts {
        let place = Place::new(EVENTS);
        let mount = place.base.path().join(mount);
        fs::create_dir_all(&mount).unwrap();
        swap(&mount, 0, file, OPEN);
        if let Some(link) = link {
            symlink(Path::new("..data").join(link), mount.join(link)).unwrap();
        } else {
            fs::remove_dir(place.root()).unwrap();
            symlink("..data/mounted", place.root()).unwrap();
        }
        let directory = place.open();
        assert!(policy(&directory, "acme.com").await.anonymous, "{file}");
        for version in 1..4 {
            let closed = version % 2 == 1;
            swap(&mount, version, file, if closed { CLOSED } else { OPEN });
            within!(PROMISED, policy(&directory, "acme.com").await.anonymous != closed);
            assert!(policy(&directory, "acme.com").await.problem.is_none(), "{file}");
        }
    }
}

#[tokio::test]
async fn a_broken_edit_keeps_the_last_good_policy_and_says_so() {
    let place = Place::new(EVENTS);
    place.write("acme.com", CLOSED);
    let directory = place.open();
    let good = policy(&directory, "acme.com").await;
    for broken in ["{ not json", "", "{\"EnableAnonymous\": tru"] {
        fs::write(place.file("acme.com"), broken).unwrap();
        within!(SOON, policy(&directory, "acme.com").await.problem.is_some());
        let kept = policy(&directory, "acme.com").await;
        assert!(!kept.anonymous);
        assert_eq!(kept.generation, good.generation);
        assert_eq!(directory.problems().keys().collect::<Vec<_>>(), [&id("acme.com")]);
        // mended without a change: the very same policy as before
        fs::write(place.file("acme.com"), CLOSED).unwrap();
        within!(SOON, Arc::ptr_eq(&good, &policy(&directory, "acme.com").await));
        assert!(directory.problems().is_empty());
    }
    let status = directory.status();
    assert_eq!((status.reloads_failed, status.reloads_ok), (3, 3));
}

#[tokio::test]
async fn an_unreadable_file_never_means_anonymous() {
    let place = Place::new(EVENTS);
    place.write("acme.com", "{ broken from the start");
    let directory = place.open();
    let policy_now = policy(&directory, "acme.com").await;
    assert!(!policy_now.anonymous, "the default is open, the broken tenant is not");
    assert_eq!(policy_now.problem.as_ref().unwrap().line, Some(1));
    // a later look at the same mistake changes nothing
    directory.flush();
    assert!(Arc::ptr_eq(&policy_now, &policy(&directory, "acme.com").await));
    fs::write(place.file("acme.com"), OPEN).unwrap();
    within!(SOON, policy(&directory, "acme.com").await.anonymous);
}

#[tokio::test]
async fn a_file_that_is_a_link_to_nothing_or_a_folder_keeps_the_last_good_policy() {
    let place = Place::new(EVENTS);
    place.write("acme.com", CLOSED);
    let directory = place.open();
    assert!(!policy(&directory, "acme.com").await.anonymous);
    fs::remove_file(place.file("acme.com")).unwrap();
    symlink("nowhere", place.file("acme.com")).unwrap();
    within!(SOON, policy(&directory, "acme.com").await.problem.is_some());
    assert!(!policy(&directory, "acme.com").await.anonymous);
    fs::remove_file(place.file("acme.com")).unwrap();
    fs::create_dir(place.file("acme.com")).unwrap();
    within!(
        SOON,
        policy(&directory, "acme.com").await.problem.as_ref().is_some_and(|p| p.message.contains("regular"))
    );
    assert!(!policy(&directory, "acme.com").await.anonymous);
}

#[tokio::test]
async fn removing_the_file_inherits_and_removing_the_folder_ends_the_tenant() {
    let place = Place::new(EVENTS);
    place.write("acme.com", CLOSED);
    let directory = place.open();
    assert!(!policy(&directory, "acme.com").await.anonymous);
    fs::remove_file(place.file("acme.com")).unwrap();
    within!(SOON, policy(&directory, "acme.com").await.anonymous);
    assert!(policy(&directory, "acme.com").await.problem.is_none());
    fs::remove_dir(place.root().join("acme.com")).unwrap();
    within!(SOON, matches!(directory.load(&id("acme.com")).await, Found::Unknown));
    within!(SOON, !directory.several());
    // the negative answer lasts an hour here: only the event can end it
    place.write("acme.com", CLOSED);
    within!(SOON, matches!(directory.load(&id("acme.com")).await, Found::Tenant(p) if !p.anonymous));
    within!(SOON, directory.several());
}

#[tokio::test]
async fn a_volume_that_is_not_mounted_takes_nobodys_policy_away() {
    let place = Place::new(EVENTS);
    place.write("acme.com", CLOSED);
    let directory = place.open();
    let good = policy(&directory, "acme.com").await;
    fs::rename(place.root(), place.base.path().join("unmounted")).unwrap();
    within!(SOON, policy(&directory, "acme.com").await.problem.is_some());
    assert!(!policy(&directory, "acme.com").await.anonymous);
    fs::rename(place.base.path().join("unmounted"), place.root()).unwrap();
    within!(SOON, Arc::ptr_eq(&good, &policy(&directory, "acme.com").await));
}

#[tokio::test]
async fn with_file_events_off_the_ttl_heals() {
    let mut place = Place::new(Watch::Off);
    place.change = |settings| {
        settings.tenancy.ttl = Duration::from_millis(200);
        settings.tenancy.negative_ttl = Duration::from_millis(200);
    };
    place.write("acme.com", OPEN);
    let directory = place.open();
    assert!(policy(&directory, "acme.com").await.anonymous);
    assert!(matches!(directory.load(&id("late.com")).await, Found::Unknown));
    place.write("acme.com", CLOSED);
    place.write("late.com", OPEN);
    within!(SOON, !policy(&directory, "acme.com").await.anonymous);
    within!(SOON, matches!(directory.load(&id("late.com")).await, Found::Tenant(_)));
    within!(SOON, directory.several());
    // the TTL does not drop the last good one while the file is broken
    let good = policy(&directory, "acme.com").await;
    fs::write(place.file("acme.com"), "{").unwrap();
    within!(SOON, policy(&directory, "acme.com").await.problem.is_some());
    let so_far = reads(&directory);
    within!(PATIENCE, {
        policy(&directory, "acme.com").await;
        reads(&directory) > so_far + 3
    });
    assert_eq!(policy(&directory, "acme.com").await.generation, good.generation);
    assert_eq!(directory.status().reloads_failed, 1, "said once");
}

#[tokio::test]
async fn an_unchanged_file_keeps_its_policy_over_the_ttl_and_a_touch() {
    let mut place = Place::new(EVENTS);
    place.change = |settings| settings.tenancy.ttl = Duration::from_millis(100);
    place.write("acme.com", OPEN);
    let directory = place.open();
    let first = policy(&directory, "acme.com").await;
    within!(PATIENCE, {
        policy(&directory, "acme.com").await;
        reads(&directory) > 3
    });
    let so_far = reads(&directory);
    fs::write(place.file("acme.com"), OPEN).unwrap();
    within!(PATIENCE, {
        policy(&directory, "acme.com").await;
        reads(&directory) > so_far + 2
    });
    assert!(Arc::ptr_eq(&first, &policy(&directory, "acme.com").await));
}

#[tokio::test]
async fn a_tenant_in_use_is_read_again_before_its_ttl_ends_and_nobody_waits() {
    let mut place = Place::new(Watch::Off);
    place.change = |settings| settings.tenancy.ttl = Duration::from_secs(2);
    place.write("acme.com", OPEN);
    let directory = place.open();
    policy(&directory, "acme.com").await;
    within!(PATIENCE, {
        assert!(directory.cached(&id("acme.com")).is_some(), "a request had to wait");
        reads(&directory) == 2
    });
}

#[tokio::test]
async fn polling_alone_finds_the_edit() {
    let place = Place::new(Watch::Poll { poll_interval: Duration::from_millis(50) });
    place.write("acme.com", OPEN);
    let directory = place.open();
    assert_eq!(directory.status().watch, WatchHealth::Polling);
    assert!(policy(&directory, "acme.com").await.anonymous);
    assert!(matches!(directory.load(&id("late.com")).await, Found::Unknown));
    fs::write(place.file("acme.com"), CLOSED).unwrap();
    within!(SOON, !policy(&directory, "acme.com").await.anonymous);
    place.write("late.com", OPEN);
    within!(SOON, matches!(directory.load(&id("late.com")).await, Found::Tenant(_)));
}

#[tokio::test]
async fn when_events_fail_the_poll_takes_over_until_they_work_again() {
    let place = Place::new(Watch::Auto { poll_interval: Duration::from_millis(50) });
    place.write("acme.com", OPEN);
    let directory = place.open();
    assert!(policy(&directory, "acme.com").await.anonymous);
    let failed = crate::config::watch::Signal::Failed("no space left on device".into());
    directory.cache.watching.tell(Event::File(failed));
    within!(SOON, matches!(directory.status().watch, WatchHealth::EventsLost(_)));
    fs::write(place.file("acme.com"), CLOSED).unwrap();
    within!(SOON, !policy(&directory, "acme.com").await.anonymous);
    assert_eq!(directory.status().watched_folders, 0);
}

#[tokio::test]
async fn a_hundred_concurrent_callers_share_one_read() {
    let place = Place::new(EVENTS);
    place.write("acme.com", OPEN);
    let directory = place.open();
    let acme = id("acme.com");
    let found = futures_util::future::join_all((0..100).map(|_| directory.load(&acme))).await;
    assert_eq!(found.len(), 100);
    assert_eq!(reads(&directory), 1);
    let nobody = id("nobody.com");
    futures_util::future::join_all((0..100).map(|_| directory.load(&nobody))).await;
    assert_eq!(reads(&directory), 2);
    assert_eq!(directory.cache.gates_open(), 0);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_nothing_behind() {
    let place = Place::new(Watch::Off);
    place.write("acme.com", OPEN);
    let directory = place.open();
    let acme = id("acme.com");
    for _ in 0..10 {
        let mut load = Box::pin(directory.load(&acme));
        assert!(futures_util::poll!(&mut load).is_pending());
        drop(load);
    }
    within!(PATIENCE, directory.cached(&acme).is_some());
    within!(PATIENCE, directory.cache.gates_open() == 0);
    assert_eq!(reads(&directory), 1);
}

#[tokio::test]
async fn unknown_tenant_names_cost_one_read_each_and_bounded_memory() {
    let place = Place::new(EVENTS);
    let directory = place.open();
    for _ in 0..10 {
        assert!(matches!(directory.load(&id("nobody.com")).await, Found::Unknown));
    }
    assert_eq!(reads(&directory), 1);
    for hundred in 0..1000 {
        let names: Vec<_> = (0..100).map(|n| id(&format!("random-{hundred}-{n}.example"))).collect();
        futures_util::future::join_all(names.iter().map(|name| directory.load(name))).await;
    }
    assert_eq!(reads(&directory), 100_001);
    let (unknown, cached) = (directory.cache.unknown_len(), directory.status().cached);
    assert!(unknown <= 8192, "{unknown} names are kept");
    assert_eq!((cached, directory.cache.gates_open()), (0, 0));
    assert!(directory.status().watched_folders <= 2);
}

#[tokio::test]
async fn a_full_cache_forgets_tenants_and_their_watches() {
    let mut place = Place::new(EVENTS);
    place.change = |settings| settings.tenancy.capacity = 10;
    for n in 0..50 {
        place.write(&format!("t{n}.com"), CLOSED);
    }
    let directory = place.open();
    for n in 0..50 {
        assert!(!policy(&directory, &format!("t{n}.com")).await.anonymous);
    }
    within!(PATIENCE, {
        let status = directory.status();
        status.cached <= 10 && status.watched_folders <= 12
    });
}

#[tokio::test]
async fn start_up_reads_no_tenants_file() {
    let place = Place::new(EVENTS);
    for n in 0..20_000 {
        fs::create_dir(place.root().join(format!("t{n}.com"))).unwrap();
    }
    let started = Instant::now();
    let directory = place.open();
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert!(directory.several());
    // nothing has run in the background yet: the answer is honest about it
    assert_eq!(directory.by_host("shop.example"), HostFound::IndexNotReady);
    assert!(policy(&directory, "carbon.super").await.anonymous);
    assert_eq!(reads(&directory), 1);
    assert_eq!(directory.names().await.len(), 20_001);
    within!(PATIENCE, directory.index_ready());
    assert_eq!(directory.by_host("shop.example"), HostFound::None);
}

#[tokio::test]
async fn a_host_name_change_applies_without_a_restart() {
    let place = Place::new(EVENTS);
    place.write("acme.com", r#"{"host": "dev.acme.com"}"#);
    let directory = place.open();
    within!(PATIENCE, directory.index_ready());
    assert_eq!(directory.by_host("DEV.acme.com.:8443"), HostFound::Tenant(id("acme.com")));
    policy(&directory, "acme.com").await;
    fs::write(place.file("acme.com"), r#"{"host": "new.acme.com"}"#).unwrap();
    within!(SOON, directory.by_host("new.acme.com") == HostFound::Tenant(id("acme.com")));
    assert_eq!(directory.by_host("dev.acme.com"), HostFound::None);
    // a broken edit keeps the host
    fs::write(place.file("acme.com"), "{").unwrap();
    within!(SOON, policy(&directory, "acme.com").await.problem.is_some());
    assert_eq!(directory.by_host("new.acme.com"), HostFound::Tenant(id("acme.com")));
    // a new tenant brings its own, and nobody gets what two claim
    place.write("mallory.com", r#"{"host": "new.acme.com"}"#);
    within!(SOON, directory.by_host("new.acme.com") == HostFound::Conflict);
    fs::remove_dir_all(place.root().join("mallory.com")).unwrap();
    within!(SOON, directory.by_host("new.acme.com") == HostFound::Tenant(id("acme.com")));
}

#[tokio::test]
async fn flush_has_everything_read_again() {
    let place = Place::new(Watch::Off);
    place.write("acme.com", OPEN);
    let directory = place.open();
    within!(PATIENCE, directory.index_ready());
    let kept = policy(&directory, "carbon.super").await;
    assert!(policy(&directory, "acme.com").await.anonymous);
    assert!(matches!(directory.load(&id("late.com")).await, Found::Unknown));
    place.write("acme.com", CLOSED);
    place.write("late.com", r#"{"host": "late.example"}"#);
    assert!(policy(&directory, "acme.com").await.anonymous, "nothing watches");
    directory.flush();
    assert!(!policy(&directory, "acme.com").await.anonymous);
    assert!(matches!(directory.load(&id("late.com")).await, Found::Tenant(_)));
    assert!(Arc::ptr_eq(&kept, &policy(&directory, "carbon.super").await));
    within!(SOON, directory.by_host("late.example") == HostFound::Tenant(id("late.com")));
}

#[tokio::test]
async fn new_settings_reach_every_cached_tenant_without_reading_files() {
    let mut place = Place::new(EVENTS);
    place.write("said.com", OPEN);
    place.write("silent.com", "{}");
    place.write("broken.com", "{}");
    place.write("never.com", "{ never was good");
    let directory = place.open();
    for tenant in ["said.com", "silent.com", "never.com"] {
        policy(&directory, tenant).await;
    }
    let before = policy(&directory, "broken.com").await;
    fs::write(place.file("broken.com"), "{").unwrap();
    within!(SOON, policy(&directory, "broken.com").await.problem.is_some());
    let so_far = reads(&directory);

    place.change = |settings| settings.defaults.anonymous = false;
    directory.replace_settings(Arc::new(place.settings())).await;
    for (tenant, anonymous, problem) in [
        ("said.com", true, false),
        ("silent.com", false, false),
        ("broken.com", false, true),
        ("never.com", false, true),
    ] {
        let Some(Found::Tenant(policy)) = directory.cached(&id(tenant)) else { panic!("{tenant}") };
        assert_eq!((policy.anonymous, policy.problem.is_some()), (anonymous, problem), "{tenant}");
    }
    assert_eq!(reads(&directory), so_far);
    assert!(policy(&directory, "broken.com").await.generation > before.generation);
    // mended as it was, but under the new settings
    fs::write(place.file("broken.com"), "{}").unwrap();
    within!(SOON, policy(&directory, "broken.com").await.problem.is_none());
    assert!(!policy(&directory, "broken.com").await.anonymous);
}

#[tokio::test]
async fn generations_are_unique_and_rise() {
    let place = Place::new(EVENTS);
    for n in 0..20 {
        place.write(&format!("t{n}.com"), OPEN);
    }
    let directory = place.open();
    let mut seen = Vec::new();
    for n in 0..20 {
        seen.push(policy(&directory, &format!("t{n}.com")).await.generation);
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}

#[tokio::test]
async fn background_work_ends_with_the_directory() {
    let place = Place::new(EVENTS);
    place.write("acme.com", OPEN);
    let directory = place.open();
    policy(&directory, "acme.com").await;
    let cache = Arc::downgrade(&directory.cache);
    drop(directory);
    within!(PATIENCE, cache.upgrade().is_none());
}

#[tokio::test]
async fn a_reload_may_change_the_folder_and_the_way_of_watching() {
    let mut place = Place::new(Watch::Off);
    place.write("acme.com", OPEN);
    let directory = place.open();
    assert!(policy(&directory, "acme.com").await.anonymous);
    fs::create_dir_all(place.base.path().join("elsewhere/acme.com")).unwrap();
    let file = place.base.path().join("elsewhere/acme.com/tenant-conf.json");
    fs::write(&file, CLOSED).unwrap();
    place.watch = EVENTS;
    let mut settings = place.settings();
    settings.tenancy.folder = place.base.path().join("elsewhere");
    directory.replace_settings(Arc::new(settings)).await;
    assert!(!policy(&directory, "acme.com").await.anonymous);
    within!(SOON, directory.status().watch == WatchHealth::Events);
    fs::write(&file, OPEN).unwrap();
    within!(SOON, policy(&directory, "acme.com").await.anonymous);
}
