//! Without an event: the TTL, the poll, flush and new settings.

use std::{fs, time::Duration};

use super::*;

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
