//! The real binary while its store is full, gone or cut off: each fault is safe, reported, and heals by itself.

use std::time::Duration;

use sqlx::{AnyConnection, Connection as _};

use crate::support::{
    Portal, TestAccounts, TestProxy,
    binary::{Binary, doorward},
    database::block_on,
    eventually::{throughout, within},
};

const RIGHT: &str = "correct horse battery";

#[test]
fn sign_ins_work_again_within_a_second_of_free_space() {
    let portal = Portal::answering("portal").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).accounts();
    let small = proxy.serve_on_small_disk("2m", |accounts| drop(accounts.add("carbon.super", "alex", RIGHT)));
    let Some((binary, disk)) = small else { return };
    let sign_in = || binary.browser().sign_in("carbon.super", "alex", RIGHT).status;
    assert_eq!(sign_in(), 303);
    for _ in 0..2 {
        disk.fill();
        within(Duration::from_secs(5), || sign_in() == 503);
        assert_eq!(sign_in(), 503, "on each pooled connection");
        disk.free();
        within(Duration::from_secs(1), || sign_in() == 303);
        assert_eq!([sign_in(), sign_in()], [303, 303], "for good");
    }
}

/// On SQLite; what the probe says and whether it fails.
#[test]
fn read_only_store_is_reported_and_fails_the_write_probe() {
    for (probe, fails) in [("read", false), ("write", true)] {
        let portal = Portal::answering("portal").start();
        let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).accounts();
        let proxy = proxy.setting("admin.store_probe", probe);
        let small =
            proxy.serve_on_small_disk("2m", |accounts| drop(accounts.add("carbon.super", "alex", RIGHT)));
        let Some((binary, disk)) = small else { return };
        let mut known = binary.browser();
        known.sign_in("carbon.super", "alex", RIGHT);
        disk.fill();
        let metric = |name: &str| binary.admin("/metrics").text().contains(name);
        within(Duration::from_secs(15), || {
            binary.browser().sign_in("carbon.super", "alex", RIGHT);
            metric("doorward_store_writable 0\n")
        });
        let ready = binary.admin("/readyz");
        assert!(ready.text().contains("store: cannot write: database or disk is full"), "{}", ready.text());
        assert_eq!(ready.status, if fails { 503 } else { 200 }, "{probe}");
        assert!(known.is_signed_in(), "known sessions are served");
        disk.free();
        within(Duration::from_secs(2), || binary.admin("/readyz").text() == "ok\n");
        assert!(metric("doorward_store_writable 1\n") && metric("doorward_store_up 1\n"));
    }
}

/// The disk still has space for a small change, but not for a sign-in.
#[test]
fn the_reported_state_does_not_change_while_the_disk_stays_full() {
    let portal = Portal::answering("portal").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).accounts();
    // an attempt is counted where its success cannot be written any more, and would lock the account
    let proxy = proxy.setting("admin.store_probe", "write").setting("account_lock.enabled", false);
    let small = proxy.serve_on_small_disk("2m", |accounts| drop(accounts.add("carbon.super", "alex", RIGHT)));
    let Some((binary, disk)) = small else { return };
    let sign_in = || binary.browser().sign_in("carbon.super", "alex", RIGHT).status;
    within(Duration::from_secs(5), || {
        disk.fill_but(8192);
        sign_in() == 503
    });
    within(Duration::from_secs(3), || binary.admin("/readyz").status == 503);
    throughout(Duration::from_secs(4), || {
        disk.fill_but(8192);
        sign_in();
        binary.admin("/readyz").status == 503
    });
    assert_eq!(["store fault", "store recovered"].map(|message| binary.log_count(message)), [1, 0]);
    disk.free();
    within(Duration::from_secs(2), || binary.admin("/readyz").status == 200);
    within(Duration::from_secs(1), || sign_in() == 303);
}

/// SQLITE_BUSY: another process, such as a backup, holds the write lock.
#[test]
fn a_locked_database_is_reported_and_needs_no_restart() {
    let (binary, _portal) = with_alex();
    let sign_in = || binary.browser().sign_in("carbon.super", "alex", RIGHT).status;
    let mut known = binary.browser();
    assert_eq!(known.sign_in("carbon.super", "alex", RIGHT).status, 303);
    let mut lock = connection(&binary, "BEGIN IMMEDIATE");
    let refused = binary.browser().sign_in("carbon.super", "alex", RIGHT);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    let reported = "store: cannot write: database is locked";
    within(Duration::from_secs(15), || binary.admin("/readyz").text().contains(reported));
    let health = doorward(["health", "--address", &binary.admin.to_string()]);
    assert!(health.status.success(), "the default probe only needs reads");
    assert!(String::from_utf8_lossy(&health.stdout).contains(reported), "{health:?}");
    assert!(known.is_signed_in(), "known sessions are served");
    block_on(sqlx::raw_sql("ROLLBACK").execute(&mut lock)).unwrap();
    within(Duration::from_secs(7), || binary.admin("/readyz").text() == "ok\n");
    assert_eq!([sign_in(), sign_in()], [303, 303]);
}

/// SQLITE_IOERR: the file system refuses to let the write-ahead log grow (`EFBIG`), which is not a full disk.
#[test]
fn an_io_error_of_the_database_is_reported_and_needs_no_restart() {
    let (binary, _portal) = with_alex();
    let sign_in = || binary.browser().sign_in("carbon.super", "alex", RIGHT).status;
    let mut known = binary.browser();
    assert_eq!(known.sign_in("carbon.super", "alex", RIGHT).status, 303);
    // SQLite does not restart a write-ahead log that has a reader
    let _reader = connection(&binary, "SELECT * FROM change_clock");
    let log = std::fs::metadata(binary.folder().join("doorward.db-wal")).unwrap().len();
    binary.limit_file_size(Some(log));
    within(Duration::from_secs(5), || sign_in() == 503);
    let reported = "store: cannot write: disk I/O error";
    within(Duration::from_secs(3), || binary.admin("/readyz").text().contains(reported));
    throughout(Duration::from_secs(2), || {
        sign_in() == 503 && binary.admin("/readyz").text().contains(reported)
    });
    assert!(known.is_signed_in(), "known sessions are served");
    binary.limit_file_size(None);
    within(Duration::from_secs(2), || binary.admin("/readyz").text() == "ok\n");
    assert_eq!([sign_in(), sign_in()], [303, 303], "on each pooled connection");
}

/// The disk as it is at the moment of the last acknowledgement, without what the kernel has not written yet.
#[test]
fn acknowledged_sessions_survive_a_power_cut() {
    let portal = Portal::answering("portal").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).accounts();
    let on_image = proxy.serve_on_image(|accounts| drop(accounts.add("carbon.super", "alex", RIGHT)));
    let Some((binary, image)) = on_image else { return };
    let mut browsers: Vec<_> = (0..5).map(|_| binary.browser()).collect();
    for browser in &mut browsers {
        assert_eq!(browser.sign_in("carbon.super", "alex", RIGHT).status, 303);
    }
    let after = image.cut_power(&binary);
    for browser in &browsers {
        assert!(after.browser().with_cookies_of(browser).is_signed_in(), "an acknowledged session is lost");
    }
}

#[test]
fn nothing_is_acknowledged_into_a_store_that_was_removed() {
    let portal = Portal::answering("portal").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).accounts();
    // an attempt that is counted, and whose success cannot be written, would lock the account
    let proxy = proxy.setting("account_lock.enabled", false);
    let accounts = TestAccounts::in_folder(proxy.folder());
    accounts.add("carbon.super", "alex", RIGHT);
    accounts.close();
    let binary = proxy.serve();
    let sign_in = || binary.browser().sign_in("carbon.super", "alex", RIGHT).status;
    assert_eq!(sign_in(), 303);
    let (file, away) = (binary.folder().join("doorward.db"), binary.folder().join("away.db"));
    std::fs::rename(&file, &away).unwrap();
    assert_eq!(sign_in(), 503, "at once");
    within(Duration::from_secs(3), || binary.admin("/readyz").status == 503);
    let ready = binary.admin("/readyz").text();
    assert!(ready.contains("store: lost: ") && ready.contains("doorward.db was removed"), "{ready}");
    std::fs::rename(&away, &file).unwrap();
    within(Duration::from_secs(3), || binary.admin("/readyz").status == 200);
    assert_eq!(sign_in(), 303, "it is the same file");
}

#[test]
fn start_fails_if_the_store_was_lost() {
    let portal = Portal::answering("portal").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).accounts();
    TestAccounts::in_folder(proxy.folder()).close();
    std::fs::write(proxy.folder().join("doorward.db"), "").unwrap();
    let (file, folder) = proxy.write();
    let output = doorward(["serve", "--config", &file.display().to_string()]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("missing or empty"), "{error}");
    assert!(error.contains(".doorward.db.in-use"), "the remedy: {error}");
    drop(folder);
}

fn with_alex() -> (Binary, Portal) {
    let portal = Portal::answering("portal").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).accounts();
    let accounts = TestAccounts::in_folder(proxy.folder());
    accounts.add("carbon.super", "alex", RIGHT);
    accounts.close();
    (proxy.serve_without_size_signal(), portal)
}

/// Opens another connection to the binary's database and runs this statement.
fn connection(binary: &Binary, statement: &'static str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}", binary.folder().join("doorward.db").display());
    block_on(async {
        let mut connection = AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection
    })
}
