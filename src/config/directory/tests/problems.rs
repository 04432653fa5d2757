//! Broken files: reported without being asked for, once, and no longer than they are broken.

use std::fs;

use super::*;

const LOOKING: Watch = Watch::Poll { poll_interval: Duration::from_millis(20) };

#[tokio::test]
async fn a_file_broken_at_the_start_is_reported_before_anybody_asks_for_it() {
    let place = Place::new(LOOKING);
    place.write("good.com", OPEN);
    place.write("bad.com", "{");
    let directory = place.open();
    within!(SOON, directory.status().problems == 1);
    let status = directory.status();
    assert_eq!((status.reads, status.cached, status.reloads_failed), (0, 0, 1));
    let problem = directory.problems()[&id("bad.com")].clone();
    assert_eq!((problem.file, problem.line), (place.file("bad.com"), Some(1)));

    // the first request says nothing new
    let policy = policy(&directory, "bad.com").await;
    assert!(policy.problem.is_some() && !policy.anonymous);
    let status = directory.status();
    assert_eq!((status.problems, status.reloads_failed), (1, 1));
}

#[tokio::test]
async fn a_file_that_is_mended_or_removed_is_no_problem_any_more() {
    let place = Place::new(LOOKING);
    for tenant in ["mended.com", "removed.com", "used.com"] {
        place.write(tenant, "{");
    }
    let directory = place.open();
    within!(SOON, directory.status().problems == 3);
    policy(&directory, "used.com").await;
    place.write("mended.com", OPEN);
    place.write("used.com", OPEN);
    fs::remove_dir_all(place.root().join("removed.com")).unwrap();
    within!(SOON, directory.status().problems == 0);
    assert!(directory.status().reloads_ok >= 2);
}

#[tokio::test]
async fn each_new_mistake_is_said_once() {
    let place = Place::new(LOOKING);
    place.write("bad.com", "{");
    let directory = place.open();
    within!(SOON, directory.status().reloads_failed == 1);
    let looks = || directory.status().index_reads;
    // a touch is no news
    let before = looks();
    place.write("bad.com", "{");
    within!(SOON, looks() > before);
    assert_eq!(directory.status().reloads_failed, 1);
    place.write("bad.com", "\n{");
    within!(SOON, directory.status().reloads_failed == 2);
    assert_eq!(directory.problems()[&id("bad.com")].line, Some(2));
}
