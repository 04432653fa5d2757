//! Java's syntax, in our engine.

use super::*;
use crate::domain::password::pattern::PatternTimeout;

fn compile(pattern: &str) -> JavaPattern {
    JavaPattern::compile(pattern).unwrap_or_else(|problem| panic!("{pattern}: {problem}"))
}

#[test]
fn a_pattern_means_what_it_means_in_java() {
    for (pattern, matched, unmatched) in [
        (WSO2_PATTERN, &["Aa1!", "xX9*xxxx"][..], &["aa1!", "AA1!", "Aaa!", "Aa11", "Aa1!\n"][..]),
        // blank is WSO2's own
        ("", &["Aa1!"], &["aa1!"]),
        (" \t", &["Aa1!"], &["aa1!"]),
        // the whole password, with and without anchors
        ("[a-z]+", &["abc"], &["abc1", "1abc", ""]),
        ("^[a-z]+$", &["abc"], &["abc1", "abc\n"]),
        ("a|ab", &["a", "ab"], &["abc"]),
        // ASCII, not all of Unicode
        (r"\d+", &["123"], &["١٢٣"]),
        (r"\w+", &["aZ_9"], &["ä"]),
        (r"\D\W\S\s", &["a!b ", "ääx\t"], &["1!b ", "a!b\u{a0}"]),
        (r"\h\H", &[" x", "\u{a0}x"], &["  ", "x "]),
        (r"a.c", &["abc", "aäc"], &["a\nc", "a\rc", "a\u{2028}c"]),
        (r"(?s)a.c", &["a\nc"], &["ac"]),
        (r"(?i)abc", &["ABC", "abc"], &["abd"]),
        (r"(?iu)ä(?-i)b", &["Äb"], &["ÄB"]),
        (r"(?u)abc", &["abc"], &["ABC"]),
        (r"(?i:a)b", &["Ab"], &["AB"]),
        (r"\p{Alpha}+", &["aZ"], &["ä", "1"]),
        (r"\p{Punct}+", &["!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"], &["a", "€", " "]),
        (r"\P{Punct}+", &["a1 "], &["!"]),
        (r"[\p{Lower}\p{Digit}]+", &["a1"], &["A", "ä"]),
        (r"[^\p{Alnum}]+", &["!€ "], &["a", "1"]),
        (r"\p{L}+\p{Lu}\pN", &["äÄ1"], &["1A1", "aa1"]),
        (r"\p{IsLatin}+", &["äb"], &["я"]),
        (r"\p{IsAlphabetic}\p{javaUpperCase}\P{IsDigit}", &["яЯx"], &["яя1"]),
        // classes
        ("[a-z&&[^aeiou]]+", &["xyz"], &["xaz"]),
        ("[a-z&&[def]]", &["d"], &["a"]),
        ("[a-d[m-p]]+", &["amp"], &["e"]),
        (r"[!--]+", &["!,-"], &["a", "."]),
        ("[a-]+", &["a-"], &["b"]),
        ("[-a]+", &["a-"], &["b"]),
        ("[]a]+", &["]a"], &["b"]),
        ("[^]a]+", &["bc"], &["]", "a"]),
        ("[:;a]+", &[":;a"], &["b"]),
        ("[a[:;]]+", &[":;a"], &["b"]),
        ("[~~a]+", &["~a"], &["b"]),
        ("[&a]+", &["&a"], &["b"]),
        (r"[\w.-]+", &["a.b-c"], &["a b"]),
        (r"[\d-z]+", &["1-z"], &["a"]),
        (r"[\Q^]-\E]+", &["^]-"], &["a"]),
        ("[<>_]+", &["<_>"], &["a"]),
        // quantifiers
        ("a{2,3}b{2}c{1,}", &["aabbc", "aaabbccc"], &["abbc", "aaaabbc"]),
        (r"\({2}\|{2}", &["((||"], &["(|"]),
        ("a++b", &["aab"], &["b"]),
        ("a++ab", &[], &["aaab"]),
        ("(?>a+)ab", &[], &["aaab"]),
        ("a*+a|b?+c{2}+", &["cc", "bcc"], &["aa"]),
        (".*?x", &["abx"], &["ab"]),
        // groups
        (r"(a)(?:b)\1", &["aba"], &["abb"]),
        (r"(?<first>[a-z])x\k<first>", &["axa"], &["axb"]),
        (r"(?<!x)a(?<=a)b(?!x)", &["ab"], &["xab", "abx"]),
        (r"\Aa\bz?\z", &["a"], &["ab"]),
        // characters
        (r"\x41\u00e4\x{1F511}\0101\a\e\t", &["Aä\u{1f511}A\u{7}\u{1b}\t"], &["x"]),
        (r"\Qa.b*\E+", &["a.b*", "a.b**"], &["axb*"]),
        (r"\Qa.b", &["a.b"], &["axb"]),
        (r"a\.b\$\{\}\-\!\@\#\<\>\/\ ", &["a.b${}-!@#<>/ "], &["axb"]),
        ("a]b}", &["a]b}"], &["ab"]),
        ("ä€\u{1f511}#  ", &["ä€\u{1f511}#  "], &["a"]),
    ] {
        let compiled = compile(pattern);
        for password in matched {
            assert_eq!(compiled.matches(password), Ok(true), "{pattern} and {password:?}");
        }
        for password in unmatched {
            assert_eq!(compiled.matches(password), Ok(false), "{pattern} and {password:?}");
        }
    }
}

#[test]
fn rejects_untranslatable_patterns_with_a_remedy() {
    for (pattern, problem) in [
        ("${password.pattern}", "the placeholder ${password.pattern} is not filled in here: write its value"),
        (r"\p{InGreek}", r"\p{InGreek} at character 11 is not supported: write a category such as \p{L}"),
        (r"\p{javaMirrored}", r"\p{javaMirrored} at"),
        (r"\p{NoSuch}", r"\p{NoSuch} at"),
        (r"\p{IsNoSuch}", "the pattern cannot be read"),
        ("(?x)a # b", "the flag x at character 3 is not supported: only i, m, s and u are"),
        ("(?d)a", "the flag d"),
        ("(?P<name>a)", "this kind of group"),
        ("(?#comment)", "this kind of group"),
        (r"(a)\12", "a reference with two digits"),
        (r"\Gx", r"\G at character 2"),
        (r"\X", r"\X at"),
        (r"\Kx", r"\K at"),
        (r"\cA", r"\c at"),
        (r"\b{g}", r"\b at"),
        (r"[\b]", r"\b at"),
        (r"\uD83D\uDD11", "half of a surrogate pair"),
        (r"\u00g1", r"\u has too few digits"),
        (r"\x4", r"\x has too few digits"),
        ("a{,3}", "a '{' that begins no repetition"),
        ("a{", "a '{' that begins no repetition"),
        ("{2}", "a '{' that begins no repetition"),
        ("a|{2}", "a '{' that begins no repetition"),
        ("[[:alpha:]]+", r"a class such as [:alpha:] at character 2 is not supported: write \p{Alpha}"),
        ("[:^digit:]", "a class such as [:alpha:]"),
        ("(a", "the pattern cannot be read"),
        (")", "a ')' has no '('"),
        ("a)|(?:b", "a ')' has no '('"),
        (r"x)|.*|(y", "a ')' has no '('"),
        (r"(?i)a\)[)]\Q)\E)(", "a ')' has no '('"),
        ("[a", "a '[' has no ']'"),
        ("a**", "the pattern cannot be read"),
        ("[z-a]", "the pattern cannot be read"),
        (r"a\", r"nothing follows the last \"),
        ("(((a{100}){100}){100}){100}", "gets too large"),
        ("(?=(((a{100}){100}){100}){100})", "gets too large"),
        ("[[[[[[[[[[[a]]]]]]]]]]]", "a class so deep in others"),
    ] {
        match JavaPattern::compile(pattern) {
            Ok(_) => panic!("{pattern} was taken"),
            Err(found) => assert!(found.to_string().contains(problem), "{pattern}: {found}"),
        }
    }
    assert_eq!(JavaPattern::compile(&"a".repeat(513)), Err(InvalidJavaPattern::TooLong(513)));
    assert!(JavaPattern::compile(&"ä".repeat(512)).is_ok());
}

#[test]
fn attack_redos_is_reported_as_misconfigured_policy() {
    for pattern in [r"(?=(a+)+$)(x|\1)*.*", r"((a|a)*)*(?!x)\1c", r"(?=.*)((a*)*)*(?=b)\2"] {
        let policy = PasswordPolicy { pattern: Some(compile(pattern)), ..PasswordPolicy::default() };
        let password = "a".repeat(255) + "!";
        if policy.pattern.as_ref().unwrap().matches(&password) == Err(PatternTimeout) {
            assert_eq!(broken(&policy, &password), ["misconfigured"], "{pattern}");
        } else {
            assert_eq!(broken(&policy, &password), ["pattern"], "{pattern}");
        }
    }
    // this one is known to exhaust the limit
    let policy =
        PasswordPolicy { pattern: Some(compile(r"(?:(a|aa)(?!x))+\1b")), ..PasswordPolicy::default() };
    assert_eq!(broken(&policy, &"a".repeat(200)), ["misconfigured"]);
}

proptest! {
    #[test]
    fn no_pattern_breaks_the_translation(pattern in r"[\\a-zA-Z0-9\[\](){}?*+.^$|&:<>=!,~-]{0,40}", password in any::<String>()) {
        if let Ok(compiled) = JavaPattern::compile(&pattern) {
            let _ = compiled.matches(&password.chars().take(50).collect::<String>());
        }
    }

    #[test]
    fn what_is_quoted_matches_itself_alone(text in "[^\\\\]{1,40}") {
        prop_assume!(!text.trim().is_empty());
        let compiled = compile(&format!(r"\Q{text}\E"));
        prop_assert_eq!(compiled.matches(&text), Ok(true));
        let longer = format!("{text}x");
        prop_assert_eq!(compiled.matches(&longer), Ok(false));
    }
}

#[test]
fn attack_a_pattern_that_fills_the_memory() {
    let look = |times: usize| format!("{}.*", r"(?=\pL{2})".repeat(times));
    assert!(JavaPattern::compile(&look(1)).is_ok());
    for greedy in [look(40), r"\pL{100}".to_owned()] {
        assert_eq!(JavaPattern::compile(&greedy), Err(InvalidJavaPattern::TooLarge));
    }
}

/// Error positions do not count the anchors that Doorward adds.
#[test]
fn a_mistake_has_no_place_in_the_translated_text() {
    let told = JavaPattern::compile("(.*").unwrap_err().to_string();
    assert!(!told.contains("position"), "{told}");
}

/// Attack: loops without backtracking, which no limit stops for hours, in one of the few slots where passwords are hashed
/// for all tenants.
#[test]
fn attack_a_pattern_that_goes_round_for_ever() {
    for endless in [
        "(?:(?:(?:(?=a)(?=.)){9000}){9000}){9000}a",
        "((?=a)){99999999999}a",
        r"()a(?:(?:\1\1){9000}){9000}",
        "(?:(?:(?!b)(?=a)){90000}){90000}.*",
    ] {
        assert_eq!(JavaPattern::compile(endless).err(), Some(InvalidJavaPattern::TooLarge), "{endless}");
    }
}

/// Attack: nested lookaheads in loops, with atomic groups that prevent backtracking.
#[test]
fn attack_pattern_with_nested_lookaheads() {
    let nested = |depth: usize| {
        (0..depth).fold("(?=a*)".to_owned(), |inner, _| format!("(?=(?>(?:(?>a?){inner})*))")) + ".*"
    };
    // a day
    assert_eq!(JavaPattern::compile(&nested(6)).err(), Some(InvalidJavaPattern::TooLarge));
    assert_eq!(compile(&nested(1)).matches(&"a".repeat(255)), Ok(true));
}

/// Attack: a costly lookahead, before which the engine backtracks up to the limit.
#[test]
fn attack_a_pattern_that_costs_minutes() {
    let dear = compile(r"[ab]*?[ab]*?[ab]*?(?=(?:[ab]?){1000}[cd])z");
    // in half a second; with a limit that ignores its cost, in half a minute
    assert_eq!(dear.matches(&"aab".repeat(85)), Err(PatternTimeout));
}

/// Patterns as they are recommended to operators, with generous lengths.
#[test]
fn what_operators_write_fits() {
    for usual in [
        r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#$%&*]).{8,256}$",
        r"^(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])(?=.*[@#$%^&+=])(?=\S+$).{8,128}$",
        r"^(?=.*[A-Za-z])(?=.*\d)(?=.*[@$!%*#?&])[A-Za-z\d@$!%*#?&]{8,256}$",
        r"^(?=(.*[a-z]){3,})(?=(.*[A-Z]){2,})(?=(.*[0-9]){2,})(?=(.*[!@#$%^&*()\-__+.]){1,}).{8,255}$",
        r"^(?:(?=.*?\p{N})(?=.*?[\p{S}\p{P} ])(?=.*?\p{Lu})(?=.*?\p{Ll}))[^\p{C}]{8,64}$",
        r"^(?=.*\p{Lu})(?=.*\p{Ll})(?=.*\p{Nd}).{12,128}$",
        r"^[\p{L}\p{N}\p{P}\p{S} ]+$",
        r"^[^\s]{8,500}$",
    ] {
        let told = JavaPattern::compile(usual).err();
        assert_eq!(told, None, "{usual}");
    }
    // no word in it
    let tempered = compile(r"^(?=(?:(?!password).)*$)(?=(?:(?!secret).)*$)(?=.*\d).{8,256}$");
    for (password, good) in [("pass1".repeat(51), true), ("pass1".repeat(49) + "password", false)] {
        assert_eq!(tempered.matches(&password), Ok(good));
    }
    // a lookahead that backtracks at each character
    let thrice = compile(r"^(?!.*(.)\1{2})(?=.*\d)(?=.*[a-z]).{8,256}$");
    for (password, good) in [("aab1".repeat(64), true), ("aab1".repeat(63) + "aaa", false)] {
        assert_eq!(thrice.matches(&password), Ok(good));
    }
}
