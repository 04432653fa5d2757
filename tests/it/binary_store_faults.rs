//! The real binary while its store is full, gone or cut off: each fault is safe, reported, and heals by itself.

use std::time::Duration;

use crate::support::{Gate, People, Portal, binary::doorward, eventually::within};

const RIGHT: &str = "correct horse battery";

#[test]
fn sign_ins_work_again_within_a_second_of_free_space() {
    let portal = Portal::answering("portal").start();
    let gate = Gate::before(&portal).generic(&[("/**", "signed-in")]).accounts();
    let small = gate.serve_on_small_disk("2m", |people| drop(people.add("carbon.super", "alex", RIGHT)));
    let Some((binary, disk)) = small else { return };
    let sign_in = || binary.visitor().sign_in("carbon.super", "alex", RIGHT).status;
    assert_eq!(sign_in(), 303);
    for _ in 0..2 {
        disk.fill();
        within(Duration::from_secs(5), || sign_in() == 503);
        assert_eq!(sign_in(), 503, "whichever connection it meets");
        disk.free();
        within(Duration::from_secs(1), || sign_in() == 303);
        assert_eq!([sign_in(), sign_in()], [303, 303], "for good");
    }
}

/// On SQLite; what the probe says and whether it fails.
#[test]
fn a_store_that_takes_no_changes_is_reported_and_fails_the_probe_where_it_should() {
    for (probe, fails) in [("read", false), ("write", true)] {
        let portal = Portal::answering("portal").start();
        let gate = Gate::before(&portal).generic(&[("/**", "signed-in")]).accounts();
        let gate = gate.setting("admin.store_probe", probe);
        let small = gate.serve_on_small_disk("2m", |people| drop(people.add("carbon.super", "alex", RIGHT)));
        let Some((binary, disk)) = small else { return };
        let mut known = binary.visitor();
        known.sign_in("carbon.super", "alex", RIGHT);
        disk.fill();
        let metric = |name: &str| binary.admin("/metrics").text().contains(name);
        within(Duration::from_secs(15), || {
            binary.visitor().sign_in("carbon.super", "alex", RIGHT);
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

#[test]
fn nothing_is_acknowledged_into_a_store_that_was_removed() {
    let portal = Portal::answering("portal").start();
    let gate = Gate::before(&portal).generic(&[("/**", "signed-in")]).accounts();
    let people = People::in_folder(gate.folder());
    people.add("carbon.super", "alex", RIGHT);
    people.close();
    let binary = gate.serve();
    let sign_in = || binary.visitor().sign_in("carbon.super", "alex", RIGHT).status;
    assert_eq!(sign_in(), 303);
    let (file, away) = (binary.folder().join("people.db"), binary.folder().join("away.db"));
    std::fs::rename(&file, &away).unwrap();
    assert_eq!(sign_in(), 503, "at once");
    within(Duration::from_secs(3), || binary.admin("/readyz").status == 503);
    let ready = binary.admin("/readyz").text();
    assert!(ready.contains("store: lost: ") && ready.contains("people.db was removed"), "{ready}");
    std::fs::rename(&away, &file).unwrap();
    within(Duration::from_secs(3), || binary.admin("/readyz").status == 200);
    assert_eq!(sign_in(), 303, "it is the same file");
}

#[test]
fn a_lost_store_is_an_error_at_the_start_and_not_a_new_one() {
    let portal = Portal::answering("portal").start();
    let gate = Gate::before(&portal).generic(&[("/**", "signed-in")]).accounts();
    People::in_folder(gate.folder()).close();
    std::fs::write(gate.folder().join("people.db"), "").unwrap();
    let (file, folder) = gate.write();
    let said = doorward(["serve", "--config", &file.display().to_string()]);
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success() && error.contains("missing or empty"), "{error}");
    assert!(error.contains(".people.db.in-use"), "the remedy: {error}");
    drop(folder);
}
