//! What a clock tells a stranger at the portal's sign-in.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{form, guarded};
use crate::support::{Portal, Reply};

/// What the portal's own password check costs.
const CHECK: Duration = Duration::from_millis(40);

/// Attack: which names are locked, and so which of them somebody has been at. Who is refused waits as long as the portal
/// lately took for wrong passwords. The medians of many rounds in turn are compared, with room for noise.
#[test]
#[expect(clippy::disallowed_methods, reason = "the portal takes its time over a password")]
fn attack_time_does_not_tell_a_locked_name_at_the_portals_sign_in() {
    const ROUNDS: usize = 15;
    let portal = Portal::answering("portal")
        .deciding("/login", |_| {
            sleep(CHECK);
            Reply::text("").status(302).header("location", "/login?error")
        })
        .start();
    let gate = guarded(&portal).start();
    let wrong = |name: &str| form(&gate, "/login", name, "wrong").send().status;
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
        let_through.push(timed(&format!("nobody{turn}"), 302));
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
