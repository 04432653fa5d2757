//! The list of tenants, and tenants by host name.

use std::fs;

use super::*;

#[tokio::test]
async fn a_tenant_is_its_folder() {
    let place = TenantsFixture::new(FileWatchMode::Off);
    place.write("acme.com", CLOSED);
    fs::create_dir(place.root().join("inherits.com")).unwrap();
    fs::create_dir(place.root().join("UPPER.com")).unwrap();
    let registry = place.open();
    assert!(!policy(&registry, "acme.com").await.anonymous);
    assert!(policy(&registry, "inherits.com").await.anonymous);
    assert!(policy(&registry, "carbon.super").await.anonymous, "the default tenant needs no folder");
    assert!(matches!(registry.load(&id("upper.com")).await, TenantLookup::Unknown));
    assert!(registry.has_several_tenants());
    let names: Vec<_> = registry.names().await.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["acme.com", "carbon.super", "inherits.com"]);
}

#[tokio::test]
async fn without_a_folder_for_tenants_there_is_the_default_one() {
    let place = TenantsFixture::new(EVENTS);
    fs::remove_dir(place.root()).unwrap();
    let registry = place.open();
    assert!(policy(&registry, "carbon.super").await.problem.is_none());
    assert!(!registry.has_several_tenants());
    assert_eq!(registry.names().await.len(), 1);
    // and it may come later
    place.write("acme.com", OPEN);
    place.write("carbon.super", CLOSED);
    within!(SOON, !policy(&registry, "carbon.super").await.anonymous);
    within!(SOON, registry.has_several_tenants());
}

#[tokio::test]
async fn start_up_reads_no_tenants_file() {
    let place = TenantsFixture::new(EVENTS);
    for n in 0..20_000 {
        fs::create_dir(place.root().join(format!("t{n}.com"))).unwrap();
    }
    let started = Instant::now();
    let registry = place.open();
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert!(registry.has_several_tenants());
    // nothing has run in the background yet: the answer is honest about it
    assert_eq!(registry.find_by_host("shop.example"), HostLookup::IndexNotReady);
    assert!(policy(&registry, "carbon.super").await.anonymous);
    assert_eq!(reads(&registry), 1);
    assert_eq!(registry.names().await.len(), 20_001);
    within!(PATIENCE, registry.is_index_ready());
    assert_eq!(registry.find_by_host("shop.example"), HostLookup::NoTenant);
}

#[tokio::test]
async fn attack_host_of_a_broken_file_goes_to_the_default_tenant() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", "{\"host\": \"dev.acme.com\", }");
    place.write("fine.com", r#"{"host": "fine.example"}"#);
    let registry = place.open();
    within!(PATIENCE, registry.is_index_ready());
    assert_eq!(registry.find_by_host("dev.acme.com"), HostLookup::IndexNotReady);
    assert_eq!(registry.find_by_host("fine.example"), HostLookup::Tenant(id("fine.com")));
    // in use, and so watched
    assert!(policy(&registry, "acme.com").await.problem.is_some());
    place.write("acme.com", r#"{"host": "dev.acme.com"}"#);
    within!(SOON, registry.find_by_host("dev.acme.com") == HostLookup::Tenant(id("acme.com")));
    assert_eq!(registry.find_by_host("elsewhere.example"), HostLookup::NoTenant);
}

#[tokio::test]
async fn a_host_name_change_applies_without_a_restart() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", r#"{"host": "dev.acme.com"}"#);
    let registry = place.open();
    within!(PATIENCE, registry.is_index_ready());
    assert_eq!(registry.find_by_host("DEV.acme.com.:8443"), HostLookup::Tenant(id("acme.com")));
    policy(&registry, "acme.com").await;
    fs::write(place.file("acme.com"), r#"{"host": "new.acme.com"}"#).unwrap();
    within!(SOON, registry.find_by_host("new.acme.com") == HostLookup::Tenant(id("acme.com")));
    assert_eq!(registry.find_by_host("dev.acme.com"), HostLookup::NoTenant);
    // a broken edit keeps the host
    fs::write(place.file("acme.com"), "{").unwrap();
    within!(SOON, policy(&registry, "acme.com").await.problem.is_some());
    assert_eq!(registry.find_by_host("new.acme.com"), HostLookup::Tenant(id("acme.com")));
    // a new tenant adds its own host; a host that two tenants claim is refused
    place.write("mallory.com", r#"{"host": "new.acme.com"}"#);
    within!(SOON, registry.find_by_host("new.acme.com") == HostLookup::Conflict);
    fs::remove_dir_all(place.root().join("mallory.com")).unwrap();
    within!(SOON, registry.find_by_host("new.acme.com") == HostLookup::Tenant(id("acme.com")));
}
