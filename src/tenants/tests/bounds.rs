//! The cost of many callers and many names.

use super::*;

#[tokio::test]
async fn a_hundred_concurrent_callers_share_one_read() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", OPEN);
    let registry = place.open();
    let acme = id("acme.com");
    let found = futures_util::future::join_all((0..100).map(|_| registry.load(&acme))).await;
    assert_eq!(found.len(), 100);
    assert_eq!(reads(&registry), 1);
    let unknown = id("unknown.com");
    futures_util::future::join_all((0..100).map(|_| registry.load(&unknown))).await;
    assert_eq!(reads(&registry), 2);
    assert_eq!(registry.loader.active_flights(), 0);
}

#[tokio::test]
async fn cancelled_load_leaves_no_flight() {
    let place = TenantsFixture::new(FileWatchMode::Off);
    place.write("acme.com", OPEN);
    let registry = place.open();
    let acme = id("acme.com");
    for _ in 0..10 {
        let mut load = Box::pin(registry.load(&acme));
        assert!(futures_util::poll!(&mut load).is_pending());
        drop(load);
    }
    within!(PATIENCE, registry.cached(&acme).is_some());
    within!(PATIENCE, registry.loader.active_flights() == 0);
    assert_eq!(reads(&registry), 1);
}

#[tokio::test]
async fn attack_unknown_tenant_names_use_bounded_memory() {
    let place = TenantsFixture::new(EVENTS);
    let registry = place.open();
    for _ in 0..10 {
        assert!(matches!(registry.load(&id("unknown.com")).await, TenantLookup::Unknown));
    }
    assert_eq!(reads(&registry), 1);
    for hundred in 0..1000 {
        let names: Vec<_> = (0..100).map(|n| id(&format!("random-{hundred}-{n}.example"))).collect();
        futures_util::future::join_all(names.iter().map(|name| registry.load(name))).await;
    }
    assert_eq!(reads(&registry), 100_001);
    let (unknown, cached) = (registry.loader.cache.unknown_len(), registry.status().cached);
    assert!(unknown <= 8192, "{unknown} names are kept");
    assert_eq!((cached, registry.loader.active_flights()), (0, 0));
    assert!(registry.loader.watcher.folders() <= 2);
}

#[tokio::test]
async fn evicted_tenants_lose_their_watches() {
    let mut place = TenantsFixture::new(EVENTS);
    place.change = |settings| settings.tenancy.capacity = 10;
    for n in 0..50 {
        place.write(&format!("t{n}.com"), CLOSED);
    }
    let registry = place.open();
    for n in 0..50 {
        assert!(!policy(&registry, &format!("t{n}.com")).await.anonymous);
    }
    within!(PATIENCE, {
        let status = registry.status();
        status.cached <= 10 && registry.loader.watcher.folders() <= 12
    });
}

#[tokio::test]
async fn generations_are_unique_and_rise() {
    let place = TenantsFixture::new(EVENTS);
    for n in 0..20 {
        place.write(&format!("t{n}.com"), OPEN);
    }
    let registry = place.open();
    let mut seen = Vec::new();
    for n in 0..20 {
        seen.push(policy(&registry, &format!("t{n}.com")).await.generation);
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}

#[tokio::test]
async fn background_tasks_end_with_the_registry() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", OPEN);
    let registry = place.open();
    policy(&registry, "acme.com").await;
    let cache = Arc::downgrade(&registry.loader);
    drop(registry);
    within!(PATIENCE, cache.upgrade().is_none());
}
