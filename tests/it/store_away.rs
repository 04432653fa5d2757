//! A PostgreSQL server that goes away and comes back: known sessions do not wait, all others are refused at once.

use std::time::{Duration, Instant};

use crate::support::{
    Gate, People, Portal,
    cut::Network,
    database::{Database, Kind, block_on, with},
    eventually,
    eventually::{throughout, within},
};

const RIGHT: &str = "correct horse battery";
/// Far less than a call waits for a store that does not answer.
const AT_ONCE: Duration = Duration::from_millis(700);

/// A gate whose store can be cut off, with `alex` in it.
fn away(test: impl FnOnce(Gate, Network, &Database) + Send) {
    with(Kind::Postgres, async |database| {
        let network = Network::to(&database);
        // the harness blocks, and has runtimes of its own
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let portal = Portal::answering("portal").start();
                let gate = Gate::before(&portal)
                    .generic(&[("/**", "signed-in")])
                    .accounts()
                    .setting("accounts.store_url", network.url())
                    .setting("admin.store_probe", "off")
                    .start();
                People::of(&gate).add("carbon.super", "alex", RIGHT);
                test(gate, network, &database);
            });
        });
    });
}

fn took<T>(ask: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (ask(), start.elapsed())
}

#[test]
fn known_sessions_do_not_wait_for_a_store_that_is_away() {
    away(|gate, network, _| {
        let mut known = gate.visitor();
        known.sign_in("carbon.super", "alex", RIGHT);
        assert_eq!(known.get("/docs").status, 200);
        network.cut();
        // past the silence after which sessions in memory are looked up again
        throughout(Duration::from_secs(7), || {
            let (answer, took) = took(|| known.get("/docs"));
            assert!(took < AT_ONCE, "a known session waited for {took:?}");
            answer.status == 200
        });
        let ready = gate.admin("/readyz");
        assert_eq!(ready.status, 200, "known sessions are served");
        assert!(ready.text().contains("store: does not answer"), "{}", ready.text());
        for _ in 0..3 {
            let (answer, took) = took(|| gate.visitor().sign_in("carbon.super", "alex", RIGHT));
            assert_eq!(answer.status, 503);
            assert!(took < AT_ONCE, "a sign-in waited for {took:?}");
        }
        let metrics = gate.admin("/metrics").text();
        assert!(!metrics.contains("doorward_requests_total{outcome=\"unavailable\"} 0"), "{metrics}");
        network.mend();
        within(Duration::from_secs(3), || {
            gate.visitor().sign_in("carbon.super", "alex", RIGHT).status == 303
        });
        eventually(|| gate.admin("/readyz").text() == "ok\n");
    });
}

#[test]
fn a_cut_does_not_count_as_idleness() {
    away(|gate, network, database| {
        let mut known = gate.visitor();
        known.sign_in("carbon.super", "alex", RIGHT);
        // as if it had not been used for almost all of `session.idle_timeout`
        block_on(database.run(
            "UPDATE sessions SET last_seen_at = last_seen_at + 3000 - idle, ends_at = last_seen_at + 3000",
        ));
        network.cut();
        throughout(Duration::from_secs(4), || gate.admin("/livez").status == 200);
        let during = known.get("/docs").status;
        network.mend();
        let mut after = during;
        within(Duration::from_secs(5), || {
            after = known.get("/docs").status;
            after != 503
        });
        assert_eq!((during, after), (503, 200), "neither signed out during the cut nor after it");
    });
}
