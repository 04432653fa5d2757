//! Accepted values and their canonical form.

use super::super::property;

fn checked(name: &str, value: &str) -> Option<String> {
    property(name).expect(name).property.check(value).ok()
}

fn refused(name: &str, value: &str) -> String {
    property(name).expect(name).property.check(value).expect_err(value).to_string()
}

#[test]
fn a_value_has_one_form() {
    for (name, written, canonical) in [
        ("passwordHistory.enable", "TRUE", "true"),
        ("passwordHistory.enable", " False ", "false"),
        ("passwordHistory.count", " 05", "5"),
        ("passwordHistory.count", "+7", "7"),
        ("account.lock.handler.Time", "0", "0"),
        ("account.lock.handler.Time", "-0", "0"),
        ("Recovery.ExpiryTime", "-1", "-1"),
        ("Recovery.ExpiryTime", "-1440", "-1"),
        ("suspension.notification.delays", "60, 30,30", "30,60"),
        ("passwordExpiry.enforcementScope", "org_wide", "ORG_WIDE"),
        ("adaptive_authentication.analytics.hostnameVerfier", "Allow_All", "ALLOW_ALL"),
        // blank is the documented default, not a pattern that nothing matches
        ("passwordPolicy.pattern", "  ", crate::domain::password::WSO2_PATTERN),
        ("passwordPolicy.errorMsg", "", crate::domain::password::WSO2_MESSAGE),
        ("passwordPolicy.pattern", "a b ", "a b "),
        ("Recovery.Question.Answer.Regex", "", ".*"),
        ("Recovery.CallbackRegex", "", ""),
        ("Recovery.CallbackRegex", r"${protocol}:\/\/${host}:${port}\/.*", ""),
        ("Recovery.CallbackRegex", r"https://portal\.example/.*", r"https://portal\.example/.*"),
        ("Recovery.Notification.Password.smsOtp.Regex", "[0-9]{4}", "[0-9]{4}"),
        ("Recovery.Notification.Password.smsOtp.Regex", " [A-Z0-9a-z]{12} ", "[A-Z0-9a-z]{12}"),
        ("suspension.notification.date.format", "EEE, d MMM yyyy", "EEE, d MMM yyyy"),
        ("piiControllerUrl", "", ""),
        ("piiControllerUrl", " https://acme.example/privacy", "https://acme.example/privacy"),
        ("streetAddress", " Main Street 5 ", "Main Street 5"),
        ("__secret__adaptive_authentication.analytics.basicAuth.password", " x ", " x "),
        (
            "account.multiattributelogin.handler.allowedattributes",
            "http://wso2.org/claims/username , http://wso2.org/claims/mobile,http://wso2.org/claims/username",
            "http://wso2.org/claims/username,http://wso2.org/claims/mobile",
        ),
        (
            "account.multiattributelogin.handler.allowedattributes",
            "",
            "http://wso2.org/claims/username,http://wso2.org/claims/emailaddress",
        ),
        ("passwordExpiry.rule1", "1, 40, Roles, EQ, \"employee\", manager", "1,40,roles,eq,employee,manager"),
        ("passwordExpiry.rule1", " ", ""),
    ] {
        assert_eq!(checked(name, written).as_deref(), Some(canonical), "{name}: {written}");
    }
}

#[test]
fn rejects_values_outside_their_bounds() {
    for (name, values) in [
        ("passwordHistory.enable", &["", "1", "yes", "tru e", "null"][..]),
        (
            "passwordHistory.count",
            &["", "abc", "0", "-1", "101", "5.0", "5 0", "0x5", "1e1", "99999999999999999999"],
        ),
        ("passwordPolicy.min.length", &["0", "257", "-6"]),
        ("account.lock.handler.On.Failure.Max.Attempts", &["0", "-1", "1001"]),
        // half a minute more than a year, and WSO2's factor that no number could be made of
        ("account.lock.handler.Time", &["-1", "525601"]),
        ("account.lock.handler.login.fail.timeout.ratio", &["0", "1.5", "-2", "1001"]),
        ("Recovery.ExpiryTime", &["0", "525601", "--1", "-"]),
        // a code short enough to be guessed must end
        ("Recovery.Notification.Password.ExpiryTime.smsOtp", &["-1", "0", "1441"]),
        ("Recovery.Notification.Password.OTP.OTPLength", &["3", "11"]),
        ("suspension.notification.delays", &["", "30;45", "30,", "0", "30,-5"]),
        ("passwordPolicy.pattern", &["(", "[a-", "${pattern}", "(?<name"]),
        ("Recovery.CallbackRegex", &["(", "https://${host}/"]),
        (
            "Recovery.Notification.Password.smsOtp.Regex",
            &[
                "",
                "[0-9]{3}",
                "[0-9]{33}",
                "[0-8]{6}",
                "[a-z]",
                "[]{6}",
                "[a-zA-Z0-9a-z]{6}",
                ".*",
                "[0-9]{}",
                "[0-9]{+6}",
            ],
        ),
        ("passwordExpiry.enforcementScope", &["", "EVERYWHERE"]),
        (
            "adaptive_authentication.analytics.receiver",
            &[
                "",
                "localhost:8280",
                "ftp://x/",
                "javascript:alert(1)",
                "https://user:pass@x/",
                "https:/x",
                "https://a b/",
            ],
        ),
        (
            "account.multiattributelogin.handler.allowedattributes",
            &["username", "http://", "http://a b", "http://a,,http://b"],
        ),
        (
            "suspension.notification.date.format",
            &["", "dd-MM", "dd-MM-yyyy HH:mm", "'the' dd MM yyyy", "ddddd MM yy"],
        ),
        ("_url_listPurposeSelfSignUp", &["", "https://evil.example/"]),
        ("streetAddress", &["Main\nStreet", "a\u{0}b", "\u{1b}[31m"]),
    ] {
        for value in values {
            assert_eq!(checked(name, value), None, "{name}: {value}");
        }
    }
    assert_eq!(checked("streetAddress", &"x".repeat(256)), None);
    assert_eq!(checked("passwordPolicy.pattern", &"x".repeat(513)), None);
    assert_eq!(checked("piiControllerUrl", &format!("https://x/{}", "y".repeat(2048))), None);
}

#[test]
fn error_names_the_problem_and_the_accepted_values() {
    assert_eq!(refused("passwordHistory.count", "abc"), "\"abc\" is not possible: give 1 to 100 (passwords)");
    assert_eq!(
        refused("Recovery.ExpiryTime", "0"),
        "\"0\" is not possible: give 1 to 525600, or -1 for never (minutes)"
    );
    let long = refused("passwordHistory.count", &"9".repeat(2000));
    assert!(long.len() < 200, "{long}");
}

#[test]
fn attack_a_refused_secret_is_not_repeated() {
    let secret = "hunter2\n".repeat(60);
    let name = "__secret__adaptive_authentication.analytics.basicAuth.password";
    for value in [secret.as_str(), &"hunter2".repeat(60), &"hunter2".repeat(600)] {
        let sentence = refused(name, value);
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}
