//! Broken files are reported without a request, once, and only while they are broken.

use std::fs;

use super::*;

const LOOKING: FileWatchMode = FileWatchMode::Poll { poll_interval: Duration::from_millis(20) };

#[tokio::test]
async fn broken_file_is_reported_at_startup() {
    let place = TenantsFixture::new(LOOKING);
    place.write("good.com", OPEN);
    place.write("bad.com", "{");
    let registry = place.open();
    within!(SOON, registry.status().problems == 1);
    let status = registry.status();
    assert_eq!((status.reads, status.cached, status.reloads_failed), (0, 0, 1));
    let problem = registry.problems()[&id("bad.com")].clone();
    assert_eq!((problem.file, problem.line), (place.file("bad.com"), Some(1)));

    // the first request logs nothing new
    let policy = policy(&registry, "bad.com").await;
    assert!(policy.problem.is_some() && !policy.anonymous);
    let status = registry.status();
    assert_eq!((status.problems, status.reloads_failed), (1, 1));
}

#[tokio::test]
async fn fixed_or_removed_file_is_no_longer_a_problem() {
    let place = TenantsFixture::new(LOOKING);
    for tenant in ["mended.com", "removed.com", "used.com"] {
        place.write(tenant, "{");
    }
    let registry = place.open();
    within!(SOON, registry.status().problems == 3);
    policy(&registry, "used.com").await;
    place.write("mended.com", OPEN);
    place.write("used.com", OPEN);
    fs::remove_dir_all(place.root().join("removed.com")).unwrap();
    within!(SOON, registry.status().problems == 0);
    assert!(registry.status().reloads_ok >= 2);
}

#[tokio::test]
async fn logs_each_new_mistake_once() {
    let place = TenantsFixture::new(LOOKING);
    place.write("bad.com", "{");
    let registry = place.open();
    within!(SOON, registry.status().reloads_failed == 1);
    let looks = || registry.status().index_reads;
    // a touch is not a change
    let before = looks();
    place.write("bad.com", "{");
    within!(SOON, looks() > before);
    assert_eq!(registry.status().reloads_failed, 1);
    place.write("bad.com", "\n{");
    within!(SOON, registry.status().reloads_failed == 2);
    assert_eq!(registry.problems()[&id("bad.com")].line, Some(2));
}
