//! Properties in files: `[governance]`, WSO2's own sections, and their mistakes.

use std::{collections::BTreeMap, path::Path};

use super::*;
use crate::{
    config::{Settings, TenantPolicy, effective, load, tenant_file},
    domain::{
        governance::{Kind, categories},
        tenant::TenantId,
    },
};

const PORTAL: &str = "[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n";

fn parse(text: &str) -> Result<Settings, Vec<String>> {
    parse_with(text, &[])
}

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load::parse(&format!("{text}\n{PORTAL}"), Path::new("d.toml"), &env)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn policy(text: &str) -> TenantPolicy {
    let settings = parse(text).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let conf = tenant_file::TenantConf::default();
    tenant_file::resolve(&settings, &TenantId::super_tenant(), &conf, 1)
}

fn tenant_mistakes(ours: &str) -> Vec<String> {
    let text = format!("{{\"Doorward\": {ours}}}");
    let parsed = tenant_file::parse(&text, Path::new("t.json"));
    parsed.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn a_property_is_written_with_quotes_or_as_a_table() {
    for text in [
        "[governance]\n\"account.lock.handler.Time\" = 7",
        "[governance]\naccount.lock.handler.Time = 7",
        "[governance.account.lock.handler]\nTime = \"7\"",
        "governance = { 'account.lock.handler.Time' = ' 07 ' }",
    ] {
        let policy = policy(text);
        assert_eq!(policy.rules.account_lock.time.as_secs(), 420, "{text}");
    }
    let set = policy("[governance]\n\"account.lock.handler.enable\" = \"TRUE\"");
    assert!(set.rules.account_lock.enabled, "by an older name");
}

/// The block of WSO2 API Manager's documentation, as it stands there.
#[test]
fn wso2s_password_policy_block_works() {
    let policy = policy(
        r#"
[identity_mgt.events.schemes]
passwordPolicy.properties.enable = true
passwordPolicy.properties.'min.length' = 4
passwordPolicy.properties.'max.length' = 10
passwordPolicy.properties.pattern = "^((?=.*\\\\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#$%&*])).{0,100}$"
passwordPolicy.properties.errorMsg = "Password pattern policy violated."
passwordPolicy.properties.'class.PasswordLengthPolicy' = "org.wso2.carbon.identity.mgt.policy.password.DefaultPasswordLengthPolicy"
passwordPolicy.properties.'class.PasswordNamePolicy' = "org.wso2.carbon.identity.mgt.policy.password.DefaultPasswordNamePolicy"
passwordPolicy.properties.'class.PasswordPatternPolicy' = "org.wso2.carbon.identity.mgt.policy.password.DefaultPasswordPatternPolicy"
"#,
    );
    let rules = &policy.rules.password_policy;
    assert_eq!((rules.min_length, rules.max_length), (4, 10));
    let pattern = rules.pattern.as_ref().unwrap();
    assert_eq!(
        (pattern.matches("Aa1!"), pattern.matches("Aad!")),
        (Ok(true), Ok(false)),
        "{}",
        pattern.source()
    );
    assert_eq!(rules.message, "Password pattern policy violated.");
}

#[test]
fn wso2s_other_sections_work() {
    let policy = policy(
        "[identity_mgt.account_locking]\nenable_account_locking = true\nallowed_failed_attempts = 3\n\
         auto_unlock_after = \"0\"\nauto_unlock_time_increment_ratio = 4\n\
         [identity_mgt.account_disabling]\nenable_account_disabling = false\n\
         [identity_mgt.events.schemes.passwordHistory.properties]\nenable = true\ncount = 9\n\
         [identity_mgt.events.schemes.'account.lock.handler'.properties]\n'notification.notifyOnLockIncrement' = true\n\
         [identity_mgt.events.schemes.'multiattribute.login.handler'.properties]\n\
         'account.multiattributelogin.handler.enable' = false\n",
    );
    let lock = &policy.rules.account_lock;
    assert_eq!((lock.enabled, lock.max_attempts, lock.time.as_secs(), lock.ratio), (true, 3, 0, 4));
    assert!(!policy.rules.reject_disabled_accounts && !policy.rules.login_attributes.multi_attribute);
    assert_eq!(policy.rules.password_policy.history, 9);
    assert_eq!(effective_value(&policy, "account.lock.handler.notification.notifyOnLockIncrement"), "true");
}

#[test]
fn invalid_properties_are_reported_with_their_position() {
    for (text, expected) in [
        (
            "[governance]\n\"passwordPolicy.min.lenght\" = 4",
            "d.toml:2:31: governance.\"passwordPolicy.min.lenght\": there is no property `passwordPolicy.min.lenght` \
             (did you mean `passwordPolicy.min.length`?)",
        ),
        ("[governance]\nnonsense = 4", "d.toml:2:12: governance.nonsense: there is no property `nonsense`"),
        (
            "[governance]\n\"passwordPolicy.min.length\" = \"four\"",
            "d.toml:2:31: governance.\"passwordPolicy.min.length\"",
        ),
        ("[governance]\n\"passwordPolicy.min.length\" = 4.5", "governance.\"passwordPolicy.min.length\""),
        ("[governance]\n\"passwordPolicy.min.length\" = [4]", "governance.\"passwordPolicy.min.length\""),
        ("governance = true", "governance: boolean `true` cannot be used here"),
        (
            "[governance]\n\"passwordPolicy.min.length\" = 4\n[password_policy]\nmin_length = 5",
            "`passwordPolicy.min.length` is set twice, here and as `password_policy.min_length`",
        ),
        (
            "[governance]\n\"passwordHistory.count\" = 4\n[password_policy]\nhistory = 5",
            "`passwordHistory.count` is set twice, here and as `password_policy.history`",
        ),
        (
            "[governance]\n\"account.lock.handler.Time\" = 4\n[identity_mgt.account_locking]\nauto_unlock_after = 5",
            "`account.lock.handler.Time` is set twice, here and as `governance.\"account.lock.handler.Time\"`",
        ),
        (
            "[governance]\n\"account.lock.handler.enable\" = true\n\
             \"account.lock.handler.lock.on.max.failed.attempts.enable\" = true",
            "is set twice",
        ),
        (
            "[identity_mgt.account_locking]\nauto_unlock_after = \"soon\"",
            "identity_mgt.account_locking.auto_unlock_after",
        ),
        ("[identity_mgt.account_lock]\nx = 1", "there is no key `account_lock` here"),
        (
            "[identity_mgt.events.schemes]\npasswordPolicy.properties.minlength = 4",
            "there is no property `passwordPolicy.minlength` (did you mean `passwordPolicy.min.length`?)",
        ),
        ("[identity_mgt.events.schemes]\npasswordPolicy.enable = true", "this has no effect"),
    ] {
        let mistakes = parse(text).err().unwrap_or_default();
        assert!(mistakes.iter().any(|mistake| mistake.contains(expected)), "{text}: {mistakes:#?}");
        assert_eq!(mistakes.len(), 1, "{text}: {mistakes:#?}");
    }
}

#[test]
fn tenant_file_properties_are_validated_alike() {
    for (ours, expected) in [
        (r#"{"governance": {"passwordPolicy.min.lenght": 4}}"#, "did you mean `passwordPolicy.min.length`?"),
        (
            r#"{"governance": {"account.lock.handler.Time": 4}, "account_lock": {"time": "5m"}}"#,
            "is set twice, here and as `Doorward.account_lock.time`",
        ),
        (r#"{"governance": {"account.lock.handler.Time": null}}"#, "null says nothing"),
        (
            r#"{"governance": {"account.lock.handler.Time": 4, "account.lock.handler.Time": 5}}"#,
            "this key is here twice",
        ),
    ] {
        let mistakes = tenant_mistakes(ours);
        assert!(mistakes.iter().any(|mistake| mistake.contains(expected)), "{ours}: {mistakes:#?}");
    }
}

#[test]
fn a_secret_is_shown_nowhere() {
    let name = "__secret__adaptive_authentication.analytics.basicAuth.password";
    let settings = parse(&format!("[governance]\n{name:?} = \"geheim\"")).unwrap();
    for shown in
        [effective::to_toml(&settings), effective::to_json(&settings).to_string(), format!("{settings:?}")]
    {
        assert!(shown.contains("********") && !shown.contains("geheim"), "{shown}");
    }
}

#[test]
fn effective_governance_round_trips() {
    for text in [
        "[governance]\n\"passwordHistory.count\" = 7\n\"SelfRegistration.Enable\" = true\n\"passwordExpiry.rule2\" = \"1,2,roles,eq,admin\"",
        "[governance]\n\"passwordHistory.count\" = 7\n\"passwordHistory.enable\" = true",
        "[identity_mgt.account_locking]\nauto_unlock_after = 9\nenable_account_locking = true",
        "[governance]\n\"passwordExpiry.passwordExpiryInDays\" = 9\n[password_policy]\nhistory = 4",
    ] {
        let file = Path::new("/etc/d.toml");
        let before = load::parse(&format!("{text}\n{PORTAL}"), file, &BTreeMap::new()).unwrap();
        let shown = effective::to_toml(&before);
        let after = load::parse(&shown, file, &BTreeMap::new()).unwrap_or_else(|m| panic!("{m:#?}\n{shown}"));
        let again = effective::to_toml(&after);
        let differing = again.lines().zip(shown.lines()).find(|(one, other)| one != other);
        assert_eq!(differing, None);
        assert_eq!(after.defaults.rules.password_rules, before.defaults.rules.password_rules, "{shown}");
        assert_eq!(after.defaults.rules.account_lock, before.defaults.rules.account_lock, "{shown}");
        assert_eq!(
            after.defaults.governance.get("SelfRegistration.Enable"),
            before.defaults.governance.get("SelfRegistration.Enable")
        );
    }
}

/// Each is set to its own default, which is always a valid value.
#[test]
fn every_property_can_be_set_by_environment_variable() {
    let connectors = categories().iter().flat_map(|category| category.connectors);
    let properties = connectors.flat_map(|connector| connector.properties);
    let mut alone = BTreeMap::new();
    for property in properties.filter(|property| property.kind != Kind::Link) {
        let (name, value) = (property.name, if property.default.is_empty() { "x" } else { property.default });
        let Ok(value) = property.check(value) else { continue };
        let whole = format!("{{{name:?} = {value:?}}}");
        let own = format!("DOORWARD_GOVERNANCE__{}", name.to_uppercase().replace('.', "__"));
        let mut sources = vec![("DOORWARD_GOVERNANCE", whole.as_str())];
        if !name.starts_with('_') {
            sources.push((&own, &value));
            alone.insert(own.clone(), value.clone());
        }
        for source in sources {
            let settings =
                parse_with("", &[source]).unwrap_or_else(|mistakes| panic!("{source:?}: {mistakes:#?}"));
            assert_eq!(settings.defaults.governance.get(name), Some(value.as_str()), "{source:?}");
        }
    }
    assert!(alone.len() > 80, "{}", alone.len());
    // none of them conflicts with another
    let all: Vec<_> = alone.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    parse_with("", &all).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let rule =
        parse_with("", &[("DOORWARD_GOVERNANCE__PASSWORDEXPIRY__RULE3", "1,2,roles,eq,admin")]).unwrap();
    assert_eq!(rule.defaults.governance.get("passwordExpiry.rule3"), Some("1,2,roles,eq,admin"));
}

#[test]
fn unknown_property_variable_explains_the_syntax() {
    let secret = "DOORWARD_GOVERNANCE____SECRET__ADAPTIVE_AUTHENTICATION__ANALYTICS__BASICAUTH__PASSWORD";
    for (name, near) in [
        ("DOORWARD_GOVERNANCE__PASSWORDHISTORY__CUONT", "did you mean `passwordHistory.count`?"),
        (secret, "did you mean `__secret__adaptive_authentication.analytics.basicAuth.password`?"),
        ("DOORWARD_GOVERNANCE__NONSENSE", "docs/GOVERNANCE.md names all properties"),
    ] {
        let mistakes = parse_with("", &[(name, "geheim")]).unwrap_err();
        let how = "; every name can be written as DOORWARD_GOVERNANCE='{\"<name>\" = \"<value>\"}'";
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        let message = &mistakes[0];
        assert!(message.starts_with(&format!("env:{name}: ")) && message.contains(near), "{message}");
        assert!(message.contains(how) && !message.contains("geheim"), "{message}");
    }
    let capitals = parse("[governance]\n\"passwordhistory.count\" = 4").unwrap_err();
    assert!(
        capitals[0].contains("did you mean `passwordHistory.count`?"),
        "in a file case counts: {capitals:?}"
    );
    assert!(!capitals[0].contains("DOORWARD_"), "{capitals:?}");
}

#[test]
fn duplicate_property_in_environment_is_a_mistake() {
    let twice =
        [("DOORWARD_GOVERNANCE__PASSWORDHISTORY__COUNT", "3"), ("DOORWARD_PASSWORD_POLICY__HISTORY", "4")];
    let mistakes = parse_with("[governance]\n\"passwordHistory.count\" = 2", &twice).unwrap_err();
    assert!(mistakes.len() == 1 && mistakes[0].contains("is set twice"), "{mistakes:#?}");
}

#[test]
fn a_pattern_in_wso2s_section_is_the_same_from_the_environment() {
    let variable = "DOORWARD_IDENTITY_MGT__EVENTS__SCHEMES__PASSWORDPOLICY__PROPERTIES__PATTERN";
    let settings = parse_with("", &[(variable, r"^(?=.*\\d).{0,100}$")]).unwrap();
    let rules = &settings.defaults.rules.password_rules;
    assert_eq!(
        rules.pattern.as_ref().map(crate::domain::password::JavaPattern::source),
        Some(r"^(?=.*\d).{0,100}$")
    );
}
