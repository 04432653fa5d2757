//! What many callers and many names cost.

use super::*;

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
