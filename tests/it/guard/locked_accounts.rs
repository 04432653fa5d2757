//! Names that an administrator has locked or disabled.

use doorward::internals::domain::account::Account;
use serde_json::json;

use super::{RIGHT, basic, form, grant, guarded, portal, times};
use crate::support::{TestAccounts, answer::Answer};

/// An account of Doorward's by its name: an account that an administrator closed is refused at the portal's sign-in as well.
#[test]
fn disabled_or_locked_account_is_rejected_before_the_portal() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    for (name, close) in
        [("alex", TestAccounts::disable as fn(&TestAccounts, &Account)), ("bob", TestAccounts::lock)]
    {
        let account = accounts.add_without_password("carbon.super", name);
        assert_eq!(form(&proxy, "/login", name, RIGHT).send().location(), "/home");
        close(&accounts, &account);
        portal.clear_received();
        for spelling in
            [name.to_owned(), format!("{}%40carbon.super", name.to_uppercase()), format!("PRIMARY/{name}")]
        {
            let answer = form(&proxy, "/login", &spelling, RIGHT).send();
            assert_eq!((answer.status, portal.received_nothing()), (401, true), "{spelling}");
        }
    }
}

/// Attack: account enumeration. An account that an administrator closed is refused like a name locked by guesses, also
/// an unknown one.
#[test]
fn attack_account_enumeration_by_the_refusal_at_the_guard() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    accounts.lock(&accounts.add_without_password("carbon.super", "locked"));
    accounts.disable(&accounts.add_without_password("carbon.super", "disabled"));
    times(5, |_| form(&proxy, "/login", "no-such-user", "wrong").send());
    let sign_ins: [&dyn Fn(&str) -> Answer; 5] = [
        &|name| form(&proxy, "/login", name, "wrong").send(),
        &|name| form(&proxy, "/marked", name, "wrong").send(),
        &|name| {
            proxy
                .post("/api/session")
                .xhr()
                .body(json!({"username": name, "password": "x"}).to_string())
                .header("content-type", "application/json")
                .send()
        },
        &|name| grant(&proxy, name, "wrong"),
        &|name| proxy.get("/basic/x").api_client().header("authorization", &basic(name, "wrong")).send(),
    ];
    let output = |answer: &Answer| answer.text().replace(answer.header("x-request-id").unwrap(), "");
    portal.clear_received();
    for (number, sign_in) in sign_ins.into_iter().enumerate() {
        let guessed = sign_in("no-such-user");
        for closed in ["locked", "disabled"] {
            let answer = sign_in(closed);
            assert_eq!(answer.head(), guessed.head(), "{number} {closed}");
            assert_eq!(output(&answer), output(&guessed), "{number} {closed}");
        }
    }
    assert!(portal.received_nothing());
}
