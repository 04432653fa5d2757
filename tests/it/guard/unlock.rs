//! An administrator unlocks a name that the portal knows and Doorward does not.

use super::{RIGHT, form, guarded, portal, times};
use crate::support::{TestProxy, binary::doorward};

/// Whether `doorward user unlock` succeeded, and its output.
fn unlock(proxy: &TestProxy, name: &str) -> (bool, String) {
    let config = proxy.folder().join("deployment.toml").display().to_string();
    let output = doorward(["user", "unlock", name, "--config", &config]);
    let message = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&message).into_owned())
}

#[test]
fn admin_can_unlock_a_name_without_an_account() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let (done, message) = unlock(&proxy, "alex");
    assert!(
        !done
            && message.contains(
                "there is no account alex in tenant carbon.super, and no lock of that name at the portal's own sign-in"
            ),
        "{message}"
    );
    // the last one as another spelling that shares its counter
    times(4, |_| form(&proxy, "/login", "alex", "wrong").send());
    form(&proxy, "/login", "%C3%A1lex", "wrong").send();
    assert_eq!(form(&proxy, "/login", "alex", RIGHT).send().status, 401, "locked");
    let (done, message) = unlock(&proxy, "Alex");
    assert!(done && message.contains("has no account here"), "{message}");
    assert_eq!(form(&proxy, "/login", "alex", RIGHT).send().location(), "/home");
    assert!(!unlock(&proxy, "alex").0, "nothing is left");
}
