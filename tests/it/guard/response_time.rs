//! Response times at the portal's sign-in disclose nothing.

use std::time::{Duration, Instant};

use super::{form, guarded};
use crate::support::{Portal, Reply, eventually};

/// The duration of the portal's own password check.
const CHECK: Duration = Duration::from_millis(40);

/// Attack: find locked names by the response time. A refused attempt waits as long as the portal
/// lately took for wrong passwords. The medians of many alternating rounds are compared, with a tolerance.
#[test]
fn attack_lock_detection_by_time_at_the_guard() {
    const ROUNDS: usize = 15;
    let portal = Portal::answering("portal")
        .route_with("/login", |_| {
            let start = Instant::now();
            eventually(|| start.elapsed() >= CHECK);
            Reply::text("").status(302).header("location", "/login?error")
        })
        .start();
    let proxy = guarded(&portal).start();
    let wrong = |name: &str| form(&proxy, "/login", name, "wrong").send().status;
    // as many as are remembered
    for turn in 0..16 {
        wrong(&format!("stranger{turn}"));
    }
    while wrong("alex") == 302 {}
    let timed = |name: &str, expected: u16| {
        let start = Instant::now();
        assert_eq!(wrong(name), expected);
        start.elapsed()
    };
    let (mut let_through, mut refused) = (Vec::new(), Vec::new());
    for turn in 0..ROUNDS {
        let_through.push(timed(&format!("no-such-user{turn}"), 302));
        refused.push(timed("alex", 401));
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[ROUNDS / 2]
    };
    let (let_through, refused) = (median(&mut let_through), median(&mut refused));
    assert!(refused >= CHECK, "{refused:?}");
    assert!(let_through < refused * 3 / 2 && refused < let_through * 3 / 2, "{let_through:?} {refused:?}");
}
