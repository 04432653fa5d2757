//! Waiting for a condition: the one place in the tests where time passes.

use std::time::{Duration, Instant};

/// The deadline of `eventually`: far longer than any expected change takes.
pub const PATIENCE: Duration = Duration::from_secs(10);

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Asks again and again until `condition` holds.
#[track_caller]
pub fn eventually(condition: impl FnMut() -> bool) {
    within(PATIENCE, condition);
}

/// As `eventually`, with a deadline that is itself the point of the test.
#[track_caller]
pub fn within(limit: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "still not so after {limit:?}");
        pause();
    }
}

/// Asserts that `condition` stays true for `span`, for events that must not happen.
#[track_caller]
pub fn throughout(span: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < span {
        assert!(condition(), "no longer so after {:?}", start.elapsed());
        pause();
    }
}

/// As `eventually`, for a condition that is a future.
pub async fn eventually_async(condition: impl AsyncFnMut() -> bool) {
    within_async(PATIENCE, condition).await;
}

/// As `within`, for a condition that is a future.
pub async fn within_async(limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < limit, "still not so after {limit:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the one allowed wait: between two looks at a condition")]
fn pause() {
    std::thread::sleep(POLL_INTERVAL);
}

#[test]
fn a_condition_that_comes_true_is_waited_for() {
    let mut looks = 0;
    eventually(|| {
        looks += 1;
        looks == 3
    });
    assert_eq!(looks, 3);
}

#[test]
#[should_panic(expected = "still not so")]
fn a_condition_that_never_comes_true_fails_the_test() {
    within(Duration::from_millis(20), || false);
}

#[test]
#[should_panic(expected = "no longer so")]
fn throughout_detects_a_violation() {
    let mut looks = 0;
    throughout(Duration::from_secs(1), || {
        looks += 1;
        looks < 3
    });
}
