//! Names that a portal may take for the same one.

use super::{RIGHT, form, guarded, portal, times};
use crate::support::TestAccounts;

/// Attack: names that a database could treat as equal share one counter, whether or not we have such an account.
#[test]
fn attack_new_counter_for_names_a_database_equates() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    accounts.add_without_password("carbon.super", "élodie");
    accounts.add_without_password("carbon.super", "x");
    for spellings in [
        &["%C3%A9lodie", "elodie", "%C3%89LODIE", "el%C3%B6die"][..],
        // ß is s to one collation and ss to another, ü is u, ue or y
        &["wei%C3%9F", "weiss", "weis", "WEISS"],
        &["m%C3%BCller", "muller", "mueller"],
        // WSO2 looks for a bare name in all of its user stores
        &["LDAP%2Falex", "alex", "PRIMARY%2Falex", "CORP%5Calex"],
        &["x", "LDAP%2Fx"],
    ] {
        portal.clear_received();
        for user in spellings {
            times(5, |turn| form(&proxy, "/login", user, &turn.to_string()).send());
        }
        assert_eq!(portal.received().len(), 5, "{spellings:?}");
    }
}

/// Attack: a portal has another user `álex`, who signs in again and again so that `alex` can be guessed at.
#[test]
fn attack_sign_in_of_a_similar_name_resets_the_counter() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for turn in 0..2 {
        times(3, |_| form(&proxy, "/login", "alex", "wrong").send());
        let similar_name = form(&proxy, "/login", "%C3%A1lex", RIGHT).send();
        assert!(turn > 0 || similar_name.location() == "/home", "{}", similar_name.status);
    }
    portal.clear_received();
    let attempt = form(&proxy, "/login", "alex", RIGHT).send();
    assert_eq!((attempt.status, portal.received_nothing()), (401, true));
}

/// Attack: a user with a similar name (`alexx`) signs in and resets what was counted for all spellings of `alex`.
/// On a database that overlooks accents each further spelling is four guesses more.
#[test]
fn attack_similar_name_sign_in_resets_all_spellings() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let mut guesses = 0;
    for spelling in ["alex", "%C3%A1lex", "%C3%A0lex", "%C3%A2lex", "%C3%A4lex", "al%C3%A9x"] {
        portal.clear_received();
        times(4, |turn| form(&proxy, "/login", spelling, &turn.to_string()).send());
        guesses += portal.received().len();
        form(&proxy, "/login", "alexx", RIGHT).send();
    }
    assert!(guesses <= 5, "{guesses} guesses at one person");
}

/// A successful sign-in resets the failures before it, however often that happens.
#[test]
fn occasional_typos_never_lock_the_owner() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for _ in 0..4 {
        times(3, |_| form(&proxy, "/login", "alex", "wrong").send());
        assert_eq!(form(&proxy, "/login", "alex", RIGHT).send().location(), "/home");
    }
}

/// Attack: RFC 4518 §2.2 has a directory overlook these (`caseIgnoreMatch`): to it all are `alex`.
#[test]
fn attack_new_counter_for_characters_a_directory_ignores() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    for spelling in [
        "alex",
        // U+FFFC, U+1806, U+06DD, U+070F, U+1D173
        "al%EF%BF%BCex",
        "al%E1%A0%86ex",
        "al%DB%9Dex",
        "al%DC%8Fex",
        "al%F0%9D%85%B3ex",
    ] {
        times(5, |turn| form(&proxy, "/login", spelling, &turn.to_string()).send());
    }
    assert_eq!(portal.received().len(), 5);
}
