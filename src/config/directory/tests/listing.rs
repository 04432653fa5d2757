//! Which tenants there are, and whose a host name is.

use std::fs;

use super::*;

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
async fn attack_a_file_broken_at_the_start_hands_its_host_to_the_default_tenant() {
    let place = Place::new(EVENTS);
    place.write("acme.com", "{\"host\": \"dev.acme.com\", }");
    place.write("fine.com", r#"{"host": "fine.example"}"#);
    let directory = place.open();
    within!(PATIENCE, directory.index_ready());
    assert_eq!(directory.by_host("dev.acme.com"), HostFound::IndexNotReady);
    assert_eq!(directory.by_host("fine.example"), HostFound::Tenant(id("fine.com")));
    // in use, and so watched
    assert!(policy(&directory, "acme.com").await.problem.is_some());
    place.write("acme.com", r#"{"host": "dev.acme.com"}"#);
    within!(SOON, directory.by_host("dev.acme.com") == HostFound::Tenant(id("acme.com")));
    assert_eq!(directory.by_host("elsewhere.example"), HostFound::None);
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
