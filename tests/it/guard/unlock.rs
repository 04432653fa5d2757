//! An administrator lets somebody in again whom the portal knows and Doorward does not.

use super::{RIGHT, form, guarded, portal, times};
use crate::support::{Gate, binary::doorward};

/// What `doorward user unlock` said, and whether it found something.
fn unlock(gate: &Gate, name: &str) -> (bool, String) {
    let config = gate.folder().join("deployment.toml").display().to_string();
    let output = doorward(["user", "unlock", name, "--config", &config]);
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn a_name_that_only_the_portal_knows_is_unlocked_by_an_administrator() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let (done, told) = unlock(&gate, "alex");
    assert!(
        !done
            && told.contains(
                "there is no account alex in tenant carbon.super, and no lock of that name at the portal's own sign-in"
            ),
        "{told}"
    );
    // the last one as another spelling that shares its counter
    times(4, |_| form(&gate, "/login", "alex", "wrong").send());
    form(&gate, "/login", "%C3%A1lex", "wrong").send();
    assert_eq!(form(&gate, "/login", "alex", RIGHT).send().status, 401, "locked");
    let (done, told) = unlock(&gate, "Alex");
    assert!(done && told.contains("has no account here"), "{told}");
    assert_eq!(form(&gate, "/login", "alex", RIGHT).send().location(), "/home");
    assert!(!unlock(&gate, "alex").0, "nothing is left");
}
