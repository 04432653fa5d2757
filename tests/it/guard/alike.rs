//! Names that a portal may take for the same one.

use super::{RIGHT, form, guarded, portal, times};
use crate::support::accounts::Desk;

/// Attack: what some database takes for one name is one name, whether an account of ours is called that or not.
#[test]
fn attack_a_fresh_counter_for_every_name_a_database_takes_for_the_same() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let desk = Desk::of(gate.folder());
    desk.account("carbon.super", "élodie");
    desk.account("carbon.super", "x");
    for spellings in [
        &["%C3%A9lodie", "elodie", "%C3%89LODIE", "el%C3%B6die"][..],
        // ß is s to one collation and ss to another, ü is u, ue or y
        &["wei%C3%9F", "weiss", "weis", "WEISS"],
        &["m%C3%BCller", "muller", "mueller"],
        // WSO2 looks for a bare name in all of its user stores
        &["LDAP%2Falex", "alex", "PRIMARY%2Falex", "CORP%5Calex"],
        &["x", "LDAP%2Fx"],
    ] {
        portal.forget();
        for user in spellings {
            times(5, |turn| form(&gate, "/login", user, &turn.to_string()).send());
        }
        assert_eq!(portal.received().len(), 5, "{spellings:?}");
    }
}

/// Attack: on a portal to which `álex` is somebody else, who signs in again and again so that `alex` can be guessed at.
#[test]
fn attack_a_neighbours_sign_in_forgives_no_guess() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    for turn in 0..2 {
        times(3, |_| form(&gate, "/login", "alex", "wrong").send());
        let neighbour = form(&gate, "/login", "%C3%A1lex", RIGHT).send();
        assert!(turn > 0 || neighbour.location() == "/home", "{}", neighbour.status);
    }
    portal.forget();
    let guess = form(&gate, "/login", "alex", RIGHT).send();
    assert_eq!((guess.status, portal.saw_nothing()), (401, true));
}

/// Attack: a neighbour whose name is only alike (`alexx`) signs in and takes back what was counted for all spellings of `alex`.
/// On a database that overlooks accents each further spelling is four guesses more.
#[test]
fn attack_a_neighbours_sign_in_makes_every_spelling_guesses_for_free() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let mut guesses = 0;
    for spelling in ["alex", "%C3%A1lex", "%C3%A0lex", "%C3%A2lex", "%C3%A4lex", "al%C3%A9x"] {
        portal.forget();
        times(4, |turn| form(&gate, "/login", spelling, &turn.to_string()).send());
        guesses += portal.received().len();
        form(&gate, "/login", "alexx", RIGHT).send();
    }
    assert!(guesses <= 5, "{guesses} guesses at one person");
}

/// Who mistypes and then signs in is forgiven all of it, however often that happens.
#[test]
fn an_owner_who_mistypes_now_and_then_is_never_locked() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    for _ in 0..4 {
        times(3, |_| form(&gate, "/login", "alex", "wrong").send());
        assert_eq!(form(&gate, "/login", "alex", RIGHT).send().location(), "/home");
    }
}

/// Attack: RFC 4518 §2.2 has a directory overlook these (`caseIgnoreMatch`): to it all are `alex`.
#[test]
fn attack_a_fresh_counter_for_every_character_a_directory_overlooks() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    for spelling in [
        "alex",
        // U+FFFC, U+1806, U+06DD, U+070F, U+1D173
        "al%EF%BF%BCex",
        "al%E1%A0%86ex",
        "al%DB%9Dex",
        "al%DC%8Fex",
        "al%F0%9D%85%B3ex",
    ] {
        times(5, |turn| form(&gate, "/login", spelling, &turn.to_string()).send());
    }
    assert_eq!(portal.received().len(), 5);
}
