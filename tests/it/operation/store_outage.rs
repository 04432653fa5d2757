//! A PostgreSQL server that goes away and comes back: known sessions do not wait, all others are refused at once.

use std::time::{Duration, Instant};

use crate::support::{
    Portal, TestAccounts, TestProxy,
    database::{Database, Kind, block_on, with_database},
    eventually,
    eventually::{throughout, within},
    network::Network,
};

const RIGHT: &str = "correct horse battery";
/// Far less than a call waits for a store that does not answer.
const AT_ONCE: Duration = Duration::from_millis(700);

/// A proxy whose store the test can disconnect, with the account `alex`.
fn with_network(test: impl FnOnce(TestProxy, Network, &Database) + Send) {
    with_database(Kind::Postgres, async |database| {
        let network = Network::to(&database);
        // the harness blocks, and has runtimes of its own
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let portal = Portal::answering("portal").start();
                let proxy = TestProxy::in_front_of(&portal)
                    .generic(&[("/**", "signed-in")])
                    .accounts()
                    .setting("accounts.store_url", network.url())
                    .setting("admin.store_probe", "off")
                    .start();
                TestAccounts::of(&proxy).add("carbon.super", "alex", RIGHT);
                test(proxy, network, &database);
            });
        });
    });
}

fn took<T>(ask: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (ask(), start.elapsed())
}

#[test]
fn known_sessions_do_not_wait_for_an_unreachable_store() {
    with_network(|proxy, network, _| {
        let mut known = proxy.browser();
        known.sign_in("carbon.super", "alex", RIGHT);
        assert_eq!(known.get("/docs").status, 200);
        network.cut();
        // past the silence after which sessions in memory are looked up again
        throughout(Duration::from_secs(7), || {
            let (answer, took) = took(|| known.get("/docs"));
            assert!(took < AT_ONCE, "a known session waited for {took:?}");
            answer.status == 200
        });
        let ready = proxy.admin("/readyz");
        assert_eq!(ready.status, 200, "known sessions are served");
        assert!(ready.text().contains("store: does not answer"), "{}", ready.text());
        for _ in 0..3 {
            let (answer, took) = took(|| proxy.browser().sign_in("carbon.super", "alex", RIGHT));
            assert_eq!(answer.status, 503);
            assert!(took < AT_ONCE, "a sign-in waited for {took:?}");
        }
        let metrics = proxy.admin("/metrics").text();
        assert!(!metrics.contains("doorward_requests_total{outcome=\"unavailable\"} 0"), "{metrics}");
        network.restore();
        within(Duration::from_secs(3), || {
            proxy.browser().sign_in("carbon.super", "alex", RIGHT).status == 303
        });
        eventually(|| proxy.admin("/readyz").text() == "ok\n");
    });
}

#[test]
fn store_outage_is_not_idle_time() {
    with_network(|proxy, network, database| {
        let mut known = proxy.browser();
        known.sign_in("carbon.super", "alex", RIGHT);
        // as if it had not been used for almost all of `session.idle_timeout`
        block_on(database.run(
            "UPDATE sessions SET last_seen_at = last_seen_at + 3000 - idle, ends_at = last_seen_at + 3000",
        ));
        network.cut();
        throughout(Duration::from_secs(4), || proxy.admin("/livez").status == 200);
        let during = known.get("/docs").status;
        network.restore();
        let mut after = during;
        within(Duration::from_secs(5), || {
            after = known.get("/docs").status;
            after != 503
        });
        assert_eq!((during, after), (503, 200), "neither signed out during the cut nor after it");
    });
}
