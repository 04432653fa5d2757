//! The policy rule by rule, with its messages.

mod patterns;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::{governance::ExpiryRule, tenant::TenantId, time::Timestamp};

const DAY: Duration = Duration::from_hours(24);

fn alex(tenant: &TenantId) -> PasswordContext<'_> {
    PasswordContext {
        username: "Alex.Doe",
        email: Some("adoe+portal@mail.example.org"),
        given_name: Some("Alexandra"),
        family_name: Some("Döe-Smith"),
        tenant,
    }
}

fn broken(policy: &PasswordPolicy, password: &str) -> Vec<&'static str> {
    let tenant = TenantId::parse("globex.com").unwrap();
    policy
        .violations(password, &alex(&tenant))
        .iter()
        .map(|violation| match violation {
            Violation::Broken(rule) => rule.id(),
            Violation::Unchecked => "unchecked",
            Violation::Misconfigured => "misconfigured",
        })
        .collect()
}

#[test]
fn default_policy_rejects_the_empty_password() {
    let nothing = PasswordPolicy::default();
    assert_eq!(broken(&nothing, ""), ["min-length"]);
    for taken in ["a", "Alex.Doe", "123456", "password", &"x".repeat(256), " ", "\u{1f511}"] {
        assert_eq!(broken(&nothing, taken), [""; 0], "{taken}");
    }
}

#[test]
fn wso2_policy_reports_wso2_messages_in_order() {
    let policy = PasswordPolicy::wso2();
    let tenant = TenantId::super_tenant();
    for (username, password, code_and_text) in [
        ("alex", "Alex1!", None),
        ("alex", "Aa1!", Some("Password at least should have 6 characters")),
        ("alex", "Aa1!Aa1!Aa1!A", Some("Password cannot have more than 12 characters")),
        ("Alex1!", "aLEX1!", Some("Cannot use the username as the password")),
        // only equality, as WSO2 has it
        ("alex", "Alex1!Alex", None),
        (
            "alex",
            "alex1!",
            Some(
                "Password pattern policy violated. Password should contain a digit[0-9], a lower case letter[a-z], \
                 an upper case letter[A-Z], one of !@#$%&* characters",
            ),
        ),
    ] {
        let about =
            PasswordContext { username, email: None, given_name: None, family_name: None, tenant: &tenant };
        let first = policy.violations(password, &about).first().map(ToString::to_string);
        assert_eq!(first.as_deref(), code_and_text, "{password}");
    }
    // the page lists all rules
    assert_eq!(broken(&policy, "aaa"), ["min-length", "pattern"]);
}

#[test]
fn pattern_violation_shows_the_configured_message() {
    let policy = PasswordPolicy {
        pattern: JavaPattern::compile("[0-9]+").ok(),
        message: "Digits, please".to_owned(),
        ..PasswordPolicy::default()
    };
    let tenant = TenantId::super_tenant();
    assert_eq!(policy.violations("abc", &alex(&tenant))[0].to_string(), "Digits, please");
    let silent = PasswordPolicy { message: "  ".to_owned(), ..policy };
    let derived = "Password does not match the pattern [0-9]+";
    assert_eq!(silent.violations("abc", &alex(&tenant))[0].to_string(), derived);
    let wso2 = PasswordPolicy { pattern: Some(JavaPattern::wso2()), ..silent };
    assert_eq!(wso2.violations("abc", &alex(&tenant))[0].to_string(), WSO2_MESSAGE);
}

#[test]
fn counts_length_in_code_points_after_nfc() {
    let policy = PasswordPolicy { min_length: 4, max_length: 5, ..PasswordPolicy::default() };
    for (password, expected) in [
        ("äöü", &["min-length"][..]),
        ("äöüß", &[]),
        // 4 characters in 8 code points, which compose
        ("a\u{308}o\u{308}u\u{308}e\u{301}", &[]),
        ("\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}", &[]),
        ("\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}", &["max-length"]),
    ] {
        assert_eq!(broken(&policy, password), expected, "{password}");
    }
    // 64 and more are possible (NIST), and nothing is done to more than 256
    let long =
        PasswordPolicy { max_length: u32::MAX, min_score: 4, not_common: true, ..PasswordPolicy::wso2() };
    assert_eq!(
        broken(&PasswordPolicy { max_length: 64, ..PasswordPolicy::default() }, &"x".repeat(64)),
        [""; 0]
    );
    for length in [257, 4000, 100_000_000] {
        assert_eq!(broken(&long, &"x".repeat(length)), ["max-length"], "{length}");
    }
    let unreachable = PasswordPolicy { min_length: u32::MAX, ..PasswordPolicy::default() };
    assert_eq!(broken(&unreachable, &"x".repeat(256)), [""; 0]);
}

#[test]
fn rejects_common_passwords() {
    let policy = PasswordPolicy { not_common: true, ..PasswordPolicy::default() };
    for common in [
        "123456",
        "123456789",
        "12345678",
        "password",
        "Password",
        "PASSWORD",
        "password1",
        "qwerty",
        "qwerty123",
        "qwertyuiop",
        "1q2w3e4r",
        "1qaz2wsx",
        "111111",
        "000000",
        "abc123",
        "iloveyou",
        "letmein",
        "welcome",
        "monkey",
        "dragon",
        "football",
        "baseball",
        "superman",
        "princess",
        "sunshine",
        "trustno1",
        "starwars",
        "whatever",
        "zaq12wsx",
        "asdfghjkl",
        "1234567890",
        "987654321",
        "michelle",
        "computer",
        "corvette",
        "passw0rd",
        "P@ssw0rd",
        "internet",
        "samantha",
        "charlie1",
        "liverpool",
        "butterfly",
        "aaaaaaaa",
        "abcdefgh",
        "mustang1",
        "changeme",
    ] {
        assert_eq!(broken(&policy, common), ["not-common"], "{common}");
    }
    for fine in ["correct horse battery staple", "Wq7#kd02!pz", "kürbis-laterne-41", "träumerei am kamin"] {
        assert_eq!(broken(&policy, fine), [""; 0], "{fine}");
    }
}

#[test]
fn rejects_passwords_with_context_words() {
    let policy = PasswordPolicy {
        no_context_words: true,
        words: vec!["Doorward".to_owned()],
        ..PasswordPolicy::default()
    };
    for word in [
        "xx-alex.doe-xx",
        "ALEX1234",
        "2024alexandra!",
        "smith+smith",
        "döe-smith",
        "DO\u{308}E-SMITH",
        "my.adoe.key",
        "portal-key",
        "mail.example.org",
        "globex2024",
        "GLOBEX.COM",
        "ｄｏｏｒｗａｒｄ",
        "i-love-doorward",
    ] {
        assert_eq!(broken(&policy, word), ["no-context-word"], "{word}");
    }
    for fine in ["doe", "com", "org", "ale", "correct horse", "example-key"] {
        assert_eq!(broken(&policy, fine), [""; 0], "{fine}");
    }
    // the super tenant is not a context word
    let tenant = TenantId::super_tenant();
    let about =
        PasswordContext { username: "al", email: None, given_name: None, family_name: None, tenant: &tenant };
    assert_eq!(policy.violations("superb carbon owl", &about), []);
}

#[test]
fn strength_counts_also_against_the_users_own_words() {
    let tenant = TenantId::parse("globex.com").unwrap();
    let policy = |min_score| PasswordPolicy { min_score, ..PasswordPolicy::default() };
    for (password, score) in [
        ("password", 0),
        ("zxcvbn12", 1),
        ("Tr0ub4dour", 1),
        ("Tr0ub4dour&3", 2),
        ("Wq7#kd02!pz", 4),
        ("correct horse battery staple", 4),
    ] {
        for asked in 0..=4 {
            let refused = !policy(asked).violations(password, &alex(&tenant)).is_empty();
            assert_eq!(refused, asked > score, "{password}: {asked}");
        }
    }
    assert_eq!(broken(&policy(3), "globexalexandra"), ["min-score"]);
    assert_eq!(broken(&policy(200), "password"), ["min-score"]);
}

#[test]
fn attack_a_password_that_is_costly_to_estimate() {
    let policy =
        PasswordPolicy { not_common: true, min_score: 4, no_context_words: true, ..PasswordPolicy::wso2() };
    for password in [
        "a".repeat(256),
        "4@8({[<3691!|7$5+0%2x".repeat(12),
        "\u{1f511}".repeat(256),
        "1a".repeat(128),
        "ß".repeat(256),
    ] {
        assert!(!broken(&policy, &password).is_empty());
    }
}

#[test]
fn a_password_expires_when_its_days_are_over() {
    let expiry = |days| PasswordExpiry { days, ..PasswordExpiry::default() };
    let days = |days| PasswordPolicy { expiry: expiry(days), ..PasswordPolicy::default() };
    for (policy, age, expired) in [
        (days(0), Duration::MAX, false),
        (days(30), Duration::from_millis(30 * 86_400_000 - 1), false),
        (days(30), 30 * DAY, true),
        (days(u32::MAX), 365 * DAY, false),
    ] {
        assert_eq!(policy.is_expired(&[], Timestamp::EPOCH, Timestamp::EPOCH + age), expired, "{age:?}");
    }
    let last = Timestamp::from_millis(u64::MAX);
    assert_eq!(days(u32::MAX).expires_at(&[], last), Some(last));
}

#[test]
fn expiry_rule_of_a_role_precedes_the_default() {
    let rules = ["1,0,roles,eq,machines", "2,7,roles,eq,admin"].map(|rule| ExpiryRule::parse(rule).unwrap());
    let expiry = |only_by_rule| PasswordExpiry { days: 30, rules: rules.to_vec(), only_by_rule };
    for (only_by_rule, roles, days) in [
        (false, &["admin"][..], Some(7)),
        (false, &["admin", "machines"], None),
        (false, &["clerk"], Some(30)),
        (true, &["clerk"], None),
        (true, &["admin"], Some(7)),
    ] {
        let policy = PasswordPolicy { expiry: expiry(only_by_rule), ..PasswordPolicy::default() };
        let theirs: Vec<String> = roles.iter().map(ToString::to_string).collect();
        let changed_at = Timestamp::from_millis(5);
        assert_eq!(
            policy.expires_at(&theirs, changed_at),
            days.map(|days: u32| changed_at + days * DAY),
            "{roles:?}"
        );
    }
}

#[test]
fn history_is_wso2s() {
    let policy = PasswordPolicy { history: 5, ..PasswordPolicy::default() };
    let violation = policy.history_violation(true).unwrap();
    assert_eq!(
        violation.to_string(),
        "This password has been used in recent history. Please choose a different password"
    );
    assert_eq!((policy.history_length(), policy.history_violation(false)), (5, None));
    assert_eq!(PasswordPolicy::default().history_violation(true), None);
}

#[test]
fn requirements_and_checklist_list_every_rule() {
    let policy = PasswordPolicy {
        min_length: 8,
        not_common: true,
        no_context_words: true,
        min_score: 3,
        history: 5,
        breached: Some(BreachPolicy::default()),
        ..PasswordPolicy::wso2()
    };
    let list: Vec<String> = policy.requirements().iter().map(PasswordRule::to_string).collect();
    assert_eq!(
        list,
        [
            "At least 8 characters",
            "At most 12 characters",
            "Not your user name",
            WSO2_MESSAGE,
            "Not one of the passwords that everybody tries first",
            "Without your name, your e-mail address or the name of this portal",
            "Not easy to guess",
            "Not known from a data breach",
            "None of your last 5 passwords",
        ]
    );
    let tenant = TenantId::super_tenant();
    let violations = policy.violations("Passw0rd!", &alex(&tenant));
    let broken: Vec<&str> = policy
        .checklist(&violations)
        .iter()
        .filter(|(_, broken)| *broken)
        .map(|(rule, _)| rule.id())
        .collect();
    assert_eq!(
        broken,
        violations.iter().filter_map(Violation::rule).map(PasswordRule::id).collect::<Vec<_>>()
    );
    // the built-in maximum is listed if the password exceeds it
    let open = PasswordPolicy::default();
    assert_eq!(open.requirements(), [PasswordRule::MinLength(1)]);
    let checklist = open.checklist(&open.violations(&"x".repeat(300), &alex(&tenant)));
    assert_eq!(checklist, [(PasswordRule::MinLength(1), false), (PasswordRule::MaxLength(256), true)]);
}

#[test]
fn passwordrules_attribute_lists_the_requirements() {
    assert_eq!(
        PasswordPolicy::wso2().passwordrules(),
        "minlength: 6; maxlength: 12; required: digit; required: lower; required: upper; required: [!@#$%&*];"
    );
    assert_eq!(PasswordPolicy::default().passwordrules(), "minlength: 1; maxlength: 256;");
    let odd = PasswordPolicy {
        pattern: JavaPattern::compile(r#"(?=.*[\-"])(?=.*\p{Punct})(?=.*[0-9]).*"#).ok(),
        ..PasswordPolicy::default()
    };
    assert_eq!(odd.passwordrules(), "minlength: 1; maxlength: 256; required: digit;");
}

proptest! {
    #[test]
    fn no_text_breaks_the_rules_themselves(password in any::<String>(), name in any::<String>(), word in any::<String>()) {
        let policy = PasswordPolicy {
            not_common: true, no_context_words: true, words: vec![word], min_score: 2, ..PasswordPolicy::wso2()
        };
        let tenant = TenantId::super_tenant();
        let about = PasswordContext { username: &name, email: Some(&name), given_name: None, family_name: None, tenant: &tenant };
        let violations = policy.violations(&password, &about);
        prop_assert!(!violations.contains(&Violation::Misconfigured));
    }
}
