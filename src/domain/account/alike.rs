//! Names that a portal's database may take for the same one. For counting and for finding accounts that are closed: nobody
//! gets in by it.
//!
//! Databases differ in what they overlook. `utf8mb4_general_ci` of MySQL drops accents, takes ß for s and everything beyond U+FFFF for
//! one letter or none; the Unicode collations (`utf8mb4_0900_ai_ci`, `Latin1_General_CI_AI` of SQL Server) take ß for ss, Ø for O, Ł for L,
//! Æ for AE, and katakana for hiragana; German telephone books ä for ae, Danish and Swedish ones å for aa, ü for y, w for v. All of
//! this at once is what [`skeleton`] overlooks, and so it takes `joel` for `jol`: a name more in a counter is somebody's
//! mistakes counted with another's, a name too few is guesses for free. What a counter of its own protects stays protected, since each
//! spelling has one as well.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Without accents, in lower case: what somebody may type who cannot type the name.
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

/// One text for all names that any database may take for this one: without its user store or domain (`LDAP/alex`, `CORP\alex`), since
/// WSO2 looks for a bare `alex` in all of its user stores.
pub fn skeleton(name: &str) -> String {
    let plain = unaccented(name);
    let bare = plain.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut left = String::new();
    for letter in bare.chars() {
        let letter = match letter {
            'y' => 'u',
            'w' => 'v',
            'ァ'..='ヶ' => big(moved(letter, -0x60)),
            'ぁ'..='ゖ' => big(letter),
            // lengthens the sound before it; and what is one letter to one database is none to another, or to a directory
            'ー' | '\u{10000}'.. => continue,
            other if other.is_whitespace() => ' ',
            other => other,
        };
        let is_umlaut = letter == 'e' && left.ends_with(['a', 'o', 'u']);
        if !is_umlaut && !left.ends_with(letter) {
            left.push(letter);
        }
    }
    left.trim().to_owned()
}

/// Small kana stand one before the large ones.
fn big(kana: char) -> char {
    match kana {
        'ぁ' | 'ぃ' | 'ぅ' | 'ぇ' | 'ぉ' | 'っ' | 'ゃ' | 'ゅ' | 'ょ' | 'ゎ' => moved(kana, 1),
        'ゕ' => 'か',
        'ゖ' => 'け',
        other => other,
    }
}

fn moved(letter: char, by: i32) -> char {
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
    fn attack_what_some_database_takes_for_one_name_has_one_skeleton() {
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
