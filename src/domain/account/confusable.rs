//! Names that the portal's database may treat as equal. Used only for counting and for finding blocked
//! accounts, never to grant access.
//!
//! Databases differ in what their collations ignore. `utf8mb4_general_ci` of MySQL drops accents, equates ß with s,
//! and everything beyond U+FFFF with one character or none; the Unicode collations (`utf8mb4_0900_ai_ci`,
//! `Latin1_General_CI_AI` of SQL Server) equate ß with ss, Ø with O, Ł with L, Æ with AE, and katakana with hiragana;
//! German phone-book collations equate ä with ae, Danish and Swedish ones å with aa, ü with y, w with v. [`skeleton`]
//! folds all of this at once, so it also equates `joel` with `jol`: a name too many in a counter mixes the failures
//! of two users, a name too few gives uncounted guesses. Each spelling has its own counter as well.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Lower case without accents: how a user writes the name on a keyboard without its letters.
pub fn unaccented(written: &str) -> String {
    let letters =
        written.trim().nfkc().flat_map(char::to_lowercase).nfkd().filter(|c| !is_combining_mark(*c));
    let mut plain = String::new();
    for letter in letters {
        match letter {
            'ß' => plain.push_str("ss"),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'þ' => plain.push_str("th"),
            'ⱥ' => plain.push('a'),
            'ƀ' => plain.push('b'),
            'ȼ' => plain.push('c'),
            'đ' | 'ð' => plain.push('d'),
            'ɇ' => plain.push('e'),
            'ǥ' => plain.push('g'),
            'ħ' => plain.push('h'),
            'ı' | 'ɨ' => plain.push('i'),
            'ɉ' => plain.push('j'),
            'ł' => plain.push('l'),
            'ø' => plain.push('o'),
            'ɍ' => plain.push('r'),
            'ŧ' => plain.push('t'),
            'ʉ' => plain.push('u'),
            'ɏ' => plain.push('y'),
            'ƶ' => plain.push('z'),
            'ς' => plain.push('σ'),
            other => plain.push(other),
        }
    }
    plain
}

/// One text for all names that some database treats as this one, without the user store or domain
/// (`LDAP/alex`, `CORP\alex`): WSO2 searches all user stores for a bare `alex`.
pub fn skeleton(name: &str) -> String {
    let plain = unaccented(name);
    let bare = plain.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut folded = String::new();
    for letter in bare.chars() {
        let letter = match letter {
            'y' => 'u',
            'w' => 'v',
            'ァ'..='ヶ' => full_size_kana(offset_char(letter, -0x60)),
            'ぁ'..='ゖ' => full_size_kana(letter),
            // `ー` lengthens the vowel before it; beyond U+FFFF some databases and directories see one character, others none
            'ー' | '\u{10000}'.. => continue,
            other if other.is_whitespace() => ' ',
            other => other,
        };
        let is_umlaut = letter == 'e' && folded.ends_with(['a', 'o', 'u']);
        if !is_umlaut && !folded.ends_with(letter) {
            folded.push(letter);
        }
    }
    folded.trim().to_owned()
}

/// The code point of a small kana precedes that of the full-size one.
fn full_size_kana(kana: char) -> char {
    match kana {
        'ぁ' | 'ぃ' | 'ぅ' | 'ぇ' | 'ぉ' | 'っ' | 'ゃ' | 'ゅ' | 'ょ' | 'ゎ' => offset_char(kana, 1),
        'ゕ' => 'か',
        'ゖ' => 'け',
        other => other,
    }
}

fn offset_char(letter: char, by: i32) -> char {
    u32::from(letter).checked_add_signed(by).and_then(char::from_u32).unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::account::names::canonical;

    #[test]
    fn a_name_without_its_accents() {
        for (written, plain) in [
            ("alex", "alex"),
            (" Álex ", "alex"),
            ("a\u{301}\u{302}lex", "alex"),
            ("ａｌéｘ", "alex"),
            ("Straße", "strasse"),
            ("ÆØıŁđ", "aeoild"),
            ("İx", "ix"),
            ("ldap/é@acme.com", "ldap/e@acme.com"),
            ("аlex", "аlex"),
            ("\u{301}", ""),
        ] {
            assert_eq!(unaccented(written), plain, "{written:?}");
        }
    }

    #[test]
    fn attack_names_equal_under_a_collation_share_a_skeleton() {
        for names in [
            &["alex", "ÁLEX", "LDAP/alex", "corp\\Alex", "PRIMARY/aléx", " alex "][..],
            // ß is s in utf8mb4_general_ci, ss elsewhere
            &["straße", "STRASSE", "strase", "straẞe"],
            // ü is u, ue in telephone books of Germany, y in those of Sweden
            &["müller", "muller", "mueller", "myller", "MÜLER"],
            &["åse", "aase", "ase", "Äse", "æse", "aese"],
            &["søren", "sören", "soren", "soeren", "sœren"],
            &["łukasz", "lukasz", "Łukaś\u{317}z"],
            &["đorđe", "dorde", "ðorde"],
            &["wöhler", "vohler", "voehler"],
            &["ışık", "isik", "IŞIK"],
            &["タナカ", "たなか", "ﾀﾅｶ", "タナーカ", "だなが"],
            &["ッチ", "つち"],
            // beyond U+FFFF all are one, or none
            &["a😀", "a𠜎", "a😀😀", "a"],
            &["a b", "a  b", "a\u{1680}b", "a\u{a0}b"],
        ] {
            let skeletons: Vec<_> = names.iter().map(|name| skeleton(name)).collect();
            assert!(skeletons.iter().all(|one| *one == skeletons[0]), "{names:?}: {skeletons:?}");
        }
        // other letters are others, and other scripts
        for (one, other) in [("alex", "alec"), ("alex", "аlex"), ("bob", "bo"), ("田中", "中田")] {
            assert_ne!(skeleton(one), skeleton(other), "{one} and {other}");
        }
    }

    proptest! {
        #[test]
        fn one_name_one_skeleton(written in any::<String>()) {
            if let (Ok(name), Ok(plain)) = (canonical(&written), canonical(&unaccented(&written))) {
                prop_assert_eq!(skeleton(&name), skeleton(&plain));
            }
        }
    }
}
