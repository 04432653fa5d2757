//! Names that an administrator has locked or disabled.

use doorward::domain::account::Account;
use serde_json::json;

use super::{RIGHT, basic, form, grant, guarded, portal, times};
use crate::support::{accounts::Desk, answer::Answer};

/// An account of Doorward's, by its name: what an administrator closes is closed at the portal's door as well.
#[test]
fn a_disabled_or_locked_account_does_not_get_through_to_the_portal() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let desk = Desk::of(gate.folder());
    for (name, close) in [("alex", Desk::disable as fn(&Desk, &Account)), ("bob", Desk::lock)] {
        let account = desk.account("carbon.super", name);
        assert_eq!(form(&gate, "/login", name, RIGHT).send().location(), "/home");
        close(&desk, &account);
        portal.forget();
        for spelling in
            [name.to_owned(), format!("{}%40carbon.super", name.to_uppercase()), format!("PRIMARY/{name}")]
        {
            let answer = form(&gate, "/login", &spelling, RIGHT).send();
            assert_eq!((answer.status, portal.saw_nothing()), (401, true), "{spelling}");
        }
    }
}

/// Attack: account enumeration. What an administrator has closed is refused like any name that was guessed at too often, also
/// one that nobody has.
#[test]
fn attack_a_closed_account_is_refused_in_the_words_of_a_lock_that_any_name_gets() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let desk = Desk::of(gate.folder());
    desk.lock(&desk.account("carbon.super", "locked"));
    desk.disable(&desk.account("carbon.super", "disabled"));
    times(5, |_| form(&gate, "/login", "nobody", "wrong").send());
    let doors: [&dyn Fn(&str) -> Answer; 5] = [
        &|name| form(&gate, "/login", name, "wrong").send(),
        &|name| form(&gate, "/marked", name, "wrong").send(),
        &|name| {
            gate.post("/api/session")
                .xhr()
                .body(json!({"username": name, "password": "x"}).to_string())
                .header("content-type", "application/json")
                .send()
        },
        &|name| grant(&gate, name, "wrong"),
        &|name| gate.get("/basic/x").api_client().header("authorization", &basic(name, "wrong")).send(),
    ];
    let said = |answer: &Answer| answer.text().replace(answer.header("x-request-id").unwrap(), "");
    portal.forget();
    for (number, door) in doors.into_iter().enumerate() {
        let guessed = door("nobody");
        for closed in ["locked", "disabled"] {
            let answer = door(closed);
            assert_eq!(answer.head(), guessed.head(), "{number} {closed}");
            assert_eq!(said(&answer), said(&guessed), "{number} {closed}");
        }
    }
    assert!(portal.saw_nothing());
}
