//! Without an event: the TTL, the poll, flush and new settings.

use std::{fs, time::Duration};

use super::*;

#[tokio::test]
async fn ttl_applies_edits_without_file_events() {
    let mut place = TenantsFixture::new(FileWatchMode::Off);
    place.change = |settings| {
        settings.tenancy.ttl = Duration::from_millis(200);
        settings.tenancy.negative_ttl = Duration::from_millis(200);
    };
    place.write("acme.com", OPEN);
    let registry = place.open();
    assert!(policy(&registry, "acme.com").await.anonymous);
    assert!(matches!(registry.load(&id("late.com")).await, TenantLookup::Unknown));
    place.write("acme.com", CLOSED);
    place.write("late.com", OPEN);
    within!(SOON, !policy(&registry, "acme.com").await.anonymous);
    within!(SOON, matches!(registry.load(&id("late.com")).await, TenantLookup::Tenant(_)));
    within!(SOON, registry.has_several_tenants());
    // the TTL does not drop the last good one while the file is broken
    let good = policy(&registry, "acme.com").await;
    fs::write(place.file("acme.com"), "{").unwrap();
    within!(SOON, policy(&registry, "acme.com").await.problem.is_some());
    let so_far = reads(&registry);
    within!(PATIENCE, {
        policy(&registry, "acme.com").await;
        reads(&registry) > so_far + 3
    });
    assert_eq!(policy(&registry, "acme.com").await.generation, good.generation);
    assert_eq!(registry.status().reloads_failed, 1, "said once");
}

#[tokio::test]
async fn an_unchanged_file_keeps_its_policy_over_the_ttl_and_a_touch() {
    let mut place = TenantsFixture::new(EVENTS);
    place.change = |settings| settings.tenancy.ttl = Duration::from_millis(100);
    place.write("acme.com", OPEN);
    let registry = place.open();
    let first = policy(&registry, "acme.com").await;
    within!(PATIENCE, {
        policy(&registry, "acme.com").await;
        reads(&registry) > 3
    });
    let so_far = reads(&registry);
    fs::write(place.file("acme.com"), OPEN).unwrap();
    within!(PATIENCE, {
        policy(&registry, "acme.com").await;
        reads(&registry) > so_far + 2
    });
    assert!(Arc::ptr_eq(&first, &policy(&registry, "acme.com").await));
}

#[tokio::test]
async fn refreshes_ahead_of_the_ttl_without_blocking() {
    let mut place = TenantsFixture::new(FileWatchMode::Off);
    place.change = |settings| settings.tenancy.ttl = Duration::from_secs(2);
    place.write("acme.com", OPEN);
    let registry = place.open();
    policy(&registry, "acme.com").await;
    within!(PATIENCE, {
        assert!(registry.cached(&id("acme.com")).is_some(), "a request had to wait");
        reads(&registry) == 2
    });
}

#[tokio::test]
async fn polling_detects_edits() {
    let place = TenantsFixture::new(FileWatchMode::Poll { poll_interval: Duration::from_millis(50) });
    place.write("acme.com", OPEN);
    let registry = place.open();
    assert_eq!(registry.loader.watcher.health(), watch::WatchHealth::Polling);
    assert!(policy(&registry, "acme.com").await.anonymous);
    assert!(matches!(registry.load(&id("late.com")).await, TenantLookup::Unknown));
    fs::write(place.file("acme.com"), CLOSED).unwrap();
    within!(SOON, !policy(&registry, "acme.com").await.anonymous);
    place.write("late.com", OPEN);
    within!(SOON, matches!(registry.load(&id("late.com")).await, TenantLookup::Tenant(_)));
}

#[tokio::test]
async fn polls_while_file_events_fail() {
    let place = TenantsFixture::new(FileWatchMode::Auto { poll_interval: Duration::from_millis(50) });
    place.write("acme.com", OPEN);
    let registry = place.open();
    assert!(policy(&registry, "acme.com").await.anonymous);
    let failed = watch::FileEvent::Failed("no space left on device".into());
    registry.loader.commands.send(command::RegistryCommand::FileEvent(failed));
    within!(SOON, matches!(registry.loader.watcher.health(), watch::WatchHealth::EventsLost(_)));
    fs::write(place.file("acme.com"), CLOSED).unwrap();
    within!(SOON, !policy(&registry, "acme.com").await.anonymous);
    assert_eq!(registry.loader.watcher.folders(), 0);
}

#[tokio::test]
async fn flush_rereads_every_file() {
    let place = TenantsFixture::new(FileWatchMode::Off);
    place.write("acme.com", OPEN);
    let registry = place.open();
    within!(PATIENCE, registry.is_index_ready());
    let kept = policy(&registry, "carbon.super").await;
    assert!(policy(&registry, "acme.com").await.anonymous);
    assert!(matches!(registry.load(&id("late.com")).await, TenantLookup::Unknown));
    place.write("acme.com", CLOSED);
    place.write("late.com", r#"{"host": "late.example"}"#);
    assert!(policy(&registry, "acme.com").await.anonymous, "nothing watches");
    registry.flush();
    assert!(!policy(&registry, "acme.com").await.anonymous);
    assert!(matches!(registry.load(&id("late.com")).await, TenantLookup::Tenant(_)));
    assert!(Arc::ptr_eq(&kept, &policy(&registry, "carbon.super").await));
    within!(SOON, registry.find_by_host("late.example") == HostLookup::Tenant(id("late.com")));
}

#[tokio::test]
async fn new_settings_reach_every_cached_tenant_without_reading_files() {
    let mut place = TenantsFixture::new(EVENTS);
    place.write("said.com", OPEN);
    place.write("silent.com", "{}");
    place.write("broken.com", "{}");
    place.write("never.com", "{ never was good");
    let registry = place.open();
    for tenant in ["said.com", "silent.com", "never.com"] {
        policy(&registry, tenant).await;
    }
    let before = policy(&registry, "broken.com").await;
    fs::write(place.file("broken.com"), "{").unwrap();
    within!(SOON, policy(&registry, "broken.com").await.problem.is_some());
    let so_far = reads(&registry);

    place.change = |settings| settings.defaults.anonymous = false;
    registry.replace_settings(Arc::new(place.settings())).await;
    for (tenant, anonymous, problem) in [
        ("said.com", true, false),
        ("silent.com", false, false),
        ("broken.com", false, true),
        ("never.com", false, true),
    ] {
        let Some(TenantLookup::Tenant(policy)) = registry.cached(&id(tenant)) else { panic!("{tenant}") };
        assert_eq!((policy.anonymous, policy.problem.is_some()), (anonymous, problem), "{tenant}");
    }
    assert_eq!(reads(&registry), so_far);
    assert!(policy(&registry, "broken.com").await.generation > before.generation);
    // fixed as it was, but under the new settings
    fs::write(place.file("broken.com"), "{}").unwrap();
    within!(SOON, policy(&registry, "broken.com").await.problem.is_none());
    assert!(!policy(&registry, "broken.com").await.anonymous);
}

#[tokio::test]
async fn reload_may_change_folder_and_watch_mode() {
    let mut place = TenantsFixture::new(FileWatchMode::Off);
    place.write("acme.com", OPEN);
    let registry = place.open();
    assert!(policy(&registry, "acme.com").await.anonymous);
    fs::create_dir_all(place.base.path().join("elsewhere/acme.com")).unwrap();
    let file = place.base.path().join("elsewhere/acme.com/tenant-conf.json");
    fs::write(&file, CLOSED).unwrap();
    place.watch = EVENTS;
    let mut settings = place.settings();
    settings.tenancy.folder = place.base.path().join("elsewhere");
    registry.replace_settings(Arc::new(settings)).await;
    assert!(!policy(&registry, "acme.com").await.anonymous);
    within!(SOON, registry.loader.watcher.health() == watch::WatchHealth::Events);
    fs::write(&file, OPEN).unwrap();
    within!(SOON, policy(&registry, "acme.com").await.anonymous);
}
