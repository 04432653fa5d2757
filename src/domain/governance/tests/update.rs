//! The writes of a change, and its rejection as a whole.

use std::collections::BTreeMap;

use super::{super::*, connector_of, defaults};
use crate::domain::password::COMPILED;

/// One PATCH on the effective values: the defaults with `stored` on top.
fn patch_on(
    stored: &[(&str, &str)],
    sent: &[(&str, &str)],
) -> Result<BTreeMap<String, String>, UpdateRefusal> {
    let mut by_connector: Vec<(&'static Connector, Vec<(String, String)>)> = Vec::new();
    for (name, value) in sent {
        by_connector.push((connector_of(name), vec![((*name).to_owned(), (*value).to_owned())]));
    }
    let stored: BTreeMap<&str, &str> = stored.iter().copied().collect();
    let effective = |name: &str| stored.get(name).map_or_else(|| defaults(name), |value| (*value).to_owned());
    let writes = update(&by_connector, &effective)?;
    Ok(writes
        .into_iter()
        .map(|write| match write {
            PropertyWrite::Set { name, value } => (name, value),
            PropertyWrite::Clear { name } => (name, "(cleared)".to_owned()),
        })
        .collect())
}

fn patch(sent: &[(&str, &str)]) -> Result<BTreeMap<String, String>, UpdateRefusal> {
    patch_on(&[], sent)
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

const ENABLE: &str = "Recovery.Notification.Password.Enable";
const LINK: &str = "Recovery.Notification.Password.emailLink.Enable";
const CODE: &str = "Recovery.Notification.Password.OTP.SendOTPInEmail";
const OFF: &[(&str, &str)] = &[(ENABLE, "false"), (LINK, "false"), (CODE, "false"), (SMS, "false")];
const SMS: &str = "Recovery.Notification.Password.smsOtp.Enable";

#[test]
fn values_are_written_in_their_one_form_under_their_own_names() {
    assert_eq!(
        patch(&[("account.lock.handler.enable", "TRUE"), ("passwordHistory.count", "010")]),
        Ok(map(&[
            ("account.lock.handler.lock.on.max.failed.attempts.enable", "true"),
            ("passwordHistory.count", "10")
        ]))
    );
    assert_eq!(patch(&[]), Ok(BTreeMap::new()));
}

#[test]
fn password_recovery_and_its_channels_follow_each_other() {
    for (stored, sent, written) in [
        (
            &[][..],
            &[(ENABLE, "true")][..],
            &[(ENABLE, "true"), (LINK, "true"), (CODE, "false"), (SMS, "true")][..],
        ),
        (&[], &[(LINK, "true")], &[(ENABLE, "true"), (LINK, "true")]),
        (&[], &[(ENABLE, "true"), (CODE, "true")], &[(ENABLE, "true"), (CODE, "true")]),
        (&[(ENABLE, "true"), (LINK, "true")], &[(LINK, "false")], OFF),
        (
            &[(ENABLE, "true"), (LINK, "true"), (SMS, "true")],
            &[(LINK, "false")],
            &[(ENABLE, "true"), (LINK, "false")],
        ),
        (&[(ENABLE, "true"), (LINK, "true"), (SMS, "true")], &[(ENABLE, "false")], OFF),
        // a repeated request does not undo a choice made in between
        (&[(ENABLE, "true"), (SMS, "true")], &[(ENABLE, "true")], &[(ENABLE, "true")]),
    ] {
        assert_eq!(patch_on(stored, sent), Ok(map(written)), "{stored:?} {sent:?}");
    }
}

#[test]
fn username_recovery_and_its_channels_follow_each_other() {
    let [enable, email, sms] =
        ["Enable", "Email.Enable", "SMS.Enable"].map(|end| format!("Recovery.Notification.Username.{end}"));
    let (enable, email, sms) = (enable.as_str(), email.as_str(), sms.as_str());
    assert_eq!(patch(&[(enable, "true")]), Ok(map(&[(enable, "true"), (email, "true"), (sms, "true")])));
    assert_eq!(patch(&[(sms, "true")]), Ok(map(&[(enable, "true"), (sms, "true")])));
    assert_eq!(
        patch_on(&[(enable, "true"), (sms, "true")], &[(enable, "false")]),
        Ok(map(&[(enable, "false"), (email, "false"), (sms, "false")]))
    );
    let refused = patch(&[(enable, "false"), (email, "true")]).unwrap_err();
    assert!(refused.description().contains("when connector is disabled"), "{refused}");
}

#[test]
fn rejects_contradictions_with_a_remedy() {
    let alphabet = |on: &'static str| {
        ["UserClaimUpdate.OTP.UseUppercaseCharactersInOTP", "UserClaimUpdate.OTP.UseLowercaseCharactersInOTP"]
            .map(|name| (name, on))
    };
    let [upper, lower] = alphabet("false");
    for (stored, sent, about) in [
        (
            &[][..],
            &[(ENABLE, "false"), (SMS, "true")][..],
            "Enabling recovery options when connector is disabled",
        ),
        (
            &[],
            &[(LINK, "true"), (CODE, "true")],
            "Enabling both email link and email otp options are not allowed",
        ),
        (
            &[(LINK, "true")],
            &[(CODE, "true")],
            "Enabling both email link and email otp options are not allowed",
        ),
        (
            &[("Recovery.AdminPasswordReset.OTP", "true")],
            &[("Recovery.AdminPasswordReset.Offline", "true")],
            "Recovery.AdminPasswordReset.OTP and Recovery.AdminPasswordReset.Offline",
        ),
        (
            &[],
            &[
                ("EmailVerification.AskPassword.EmailOTP", "true"),
                ("EmailVerification.AskPassword.SMSOTP", "true"),
            ],
            "At most one",
        ),
        (&[], &[("passwordPolicy.min.length", "13")], "min.length would be 13"),
        (&[("passwordPolicy.min.length", "10")], &[("passwordPolicy.max.length", "9")], "max.length 9"),
        (&[], &[upper, lower, ("UserClaimUpdate.OTP.UseNumbersInOTP", "false")], "A code needs characters"),
    ] {
        let refusal = patch_on(stored, sent).unwrap_err();
        assert_eq!((refusal.code().number(), refusal.code().status()), (50013, 400), "{sent:?}");
        assert!(refusal.description().contains(about), "{refusal}");
    }
    // and what only looks like one of these passes
    let [upper, lower] = alphabet("false");
    assert!(patch(&[upper, lower]).is_ok());
    assert!(patch(&[("passwordPolicy.min.length", "13"), ("passwordPolicy.max.length", "20")]).is_ok());
    let switch =
        [("Recovery.AdminPasswordReset.OTP", "false"), ("Recovery.AdminPasswordReset.Offline", "true")];
    assert!(patch_on(&[("Recovery.AdminPasswordReset.OTP", "true")], &switch).is_ok());
    // an earlier contradiction that the change does not touch is accepted
    assert!(patch_on(&[("passwordPolicy.min.length", "20")], &[("passwordPolicy.enable", "true")]).is_ok());
}

#[test]
fn rejects_whole_change_if_one_value_is_invalid() {
    let good = ("passwordHistory.count", "10");
    for (bad, code, description) in [
        (
            ("passwordPolicy.min.length", "abc"),
            50013,
            "Unable to update the identity governance connector Password Patterns. passwordPolicy.min.length: \"abc\" is \
             not possible: give 1 to 256 (characters).",
        ),
        (
            ("passwordExpiry.rule1", "1,2"),
            50014,
            "Password expiry rule: passwordExpiry.rule1 is invalid. passwordExpiry.rule1: it has too few parts: give priority, days, `roles` or \
             `groups`, `eq` or `ne`, and a value, with commas between them.",
        ),
        (
            ("passwordPolicy.pattern", "${x}"),
            50015,
            "Password pattern regex is invalid. passwordPolicy.pattern: the placeholder ${x} is not filled in here: write \
             its value.",
        ),
    ] {
        let refusal = patch(&[good, bad]).unwrap_err();
        assert_eq!((refusal.code().number(), refusal.code().status()), (code, 400));
        assert_eq!(refusal.description(), description);
        assert_eq!(refusal.code().message(), "Connector update failed.");
    }
}

#[test]
fn a_name_that_is_not_the_connectors_own_is_refused() {
    let history = connector_named("passwordHistory").unwrap();
    for name in ["passwordHistory.enabled", "passwordPolicy.enable", "x\nINFO forged"] {
        let refusal =
            update(&[(history, vec![(name.to_owned(), "true".to_owned())])], &defaults).unwrap_err();
        assert_eq!(
            (refusal.code().number(), refusal.code().status(), refusal.code().message()),
            (50017, 400, "Property not found.")
        );
        let description = refusal.description();
        assert!(description.ends_with("is not found in the connector: Password History."), "{description}");
        assert!(!description.contains('\n'), "{description}");
    }
}

#[test]
fn one_name_has_one_value() {
    let twice = |first: &str, second: &str| {
        patch(&[("passwordHistory.count", first), ("passwordHistory.count", second)])
    };
    assert_eq!(twice("7", "07"), Ok(map(&[("passwordHistory.count", "7")])));
    assert!(
        matches!(twice("7", "8"), Err(UpdateRefusal::DuplicateValue { name, .. }) if name == "passwordHistory.count")
    );
    // also under another of its names
    let old = [
        ("account.lock.handler.enable", "true"),
        ("account.lock.handler.lock.on.max.failed.attempts.enable", "false"),
    ];
    assert_eq!(patch(&old).unwrap_err().code().number(), 50013);
}

#[test]
fn a_mask_that_comes_back_keeps_the_secret() {
    let secret = "__secret__adaptive_authentication.analytics.basicAuth.password";
    assert_eq!(patch(&[(secret, MASK)]), Ok(BTreeMap::new()));
    assert_eq!(patch(&[(secret, "new")]), Ok(map(&[(secret, "new")])));
    // elsewhere it is a text like any other
    assert_eq!(patch(&[("contact", MASK)]), Ok(map(&[("contact", MASK)])));
}

#[test]
fn a_console_may_send_back_all_it_was_shown() {
    for connector in categories().iter().flat_map(|category| category.connectors) {
        let shown: Vec<_> = connector
            .properties
            .iter()
            .map(|property| (property.name.to_owned(), property.default.to_owned()))
            .collect();
        let written = update(&[(connector, shown)], &defaults).unwrap_or_else(|refusal| panic!("{refusal}"));
        let links = connector.properties.iter().filter(|property| property.kind == Kind::Link).count();
        assert_eq!(written.len() + links, connector.properties.len(), "{}", connector.name);
    }
}

#[test]
fn a_blank_rule_is_taken_away() {
    assert_eq!(patch(&[("passwordExpiry.rule3", "")]), Ok(map(&[("passwordExpiry.rule3", "(cleared)")])));
}

#[test]
fn revert_clears_what_it_names() {
    let lock = connector_named("account.lock.handler").unwrap();
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let time = || "account.lock.handler.Time".to_owned();
    assert_eq!(
        revert(&[(lock, names(&["account.lock.handler.Time", "account.lock.handler.Time"]))]),
        Ok(vec![PropertyWrite::Clear { name: time() }])
    );
    let history = connector_named("passwordHistory").unwrap();
    let count = || "passwordHistory.count".to_owned();
    assert_eq!(
        revert(&[(lock, vec![time()]), (history, vec![count()])]),
        Ok(vec![PropertyWrite::Clear { name: time() }, PropertyWrite::Clear { name: count() }])
    );
    for nothing in [vec![], vec![(lock, vec![])]] {
        assert_eq!(revert(&nothing).unwrap_err().code().to_string(), "IDG-50016");
    }
    assert!(revert(&[(history, vec![count()]), (lock, vec![count()])]).is_err(), "of another connector");
    let refusal = revert(&[(lock, names(&["account.lock.handler.Time", "no-such-property"]))]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "IDG-50017: The property: no-such-property is not found in the connector: Account Lock."
    );
}

#[test]
fn ignores_unknown_rows_of_the_store() {
    let rows = [
        ("passwordHistory.count", "10"),
        ("passwordHistory.enable", "TRUE"),
        ("passwordPolicy.min.length", "many"),
        ("of.a.later.version", "true"),
        ("passwordExpiry.rule1", ""),
    ];
    let (overrides, left_out) =
        Overrides::from_rows(rows.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(
        overrides.iter().collect::<Vec<_>>(),
        [("passwordHistory.count", "10"), ("passwordHistory.enable", "true")]
    );
    assert_eq!(left_out, ["passwordPolicy.min.length", "of.a.later.version", "passwordExpiry.rule1"]);
}

#[test]
fn codes_are_wso2s() {
    let numbers: Vec<_> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
    assert_eq!(numbers, (50001..=50018).collect::<Vec<_>>());
    for (code, status, description) in [
        (ErrorCode::Pagination, 501, "Pagination capabilities are not supported in this version of the API."),
        (ErrorCode::NoSuchCategory, 404, "Unable to find any category with the provided identifier x."),
        (ErrorCode::NoSuchConnector, 404, "Unable to find any connector with the provided identifier x."),
        (ErrorCode::NoSuchConnectorName, 400, "Unable to find a connector with the name x."),
        (ErrorCode::UnsupportedProperty, 400, "The property x is not supported by this API."),
    ] {
        assert_eq!((code.status(), code.description(&["x"])), (status, description.to_owned()));
    }
}

/// Attack: one body with the same costly pattern hundreds of times, each of which is compiled while the store is held.
#[test]
fn attack_repeated_pattern_is_compiled_once() {
    let policy = connector_named("passwordPolicy").unwrap();
    let same = vec![("passwordPolicy.pattern".to_owned(), "(?=[a-z]{90})".repeat(36)); 400];
    update(&[(policy, same)], &|_| String::new()).unwrap();
    assert_eq!(COMPILED.get(), 1);
}
