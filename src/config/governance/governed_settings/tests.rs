//! Every enforced property is in force as configured.

use std::{collections::BTreeMap, path::Path, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    config::{Settings, governance::TenantOverrides, load, tenant_file},
    domain::{
        account::LoginAttribute,
        governance::{Effect, Kind, Property, categories},
        tenant::TenantId,
    },
};

const PORTAL: &str = "[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n";

fn settings(text: &str) -> Settings {
    load::parse(&format!("{text}\n{PORTAL}"), Path::new("/d.toml"), &BTreeMap::new())
        .unwrap_or_else(|mistakes| panic!("{text}: {mistakes:#?}"))
}

/// With these files, and this set by administrators.
fn policy(deployment: &str, ours: &str, set: &[(&str, &str)]) -> TenantPolicy {
    let text = format!("{{\"Doorward\": {ours}}}");
    let conf = tenant_file::parse(&text, Path::new("/t/acme.com/x")).unwrap_or_else(|m| panic!("{m:#?}"));
    let rows = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (overrides, left_out) = Overrides::from_rows(rows);
    assert!(left_out.is_empty(), "{left_out:?}");
    let acme = TenantId::parse("acme.com").unwrap();
    tenant_file::resolve_with(&settings(deployment), &acme, &conf, &TenantOverrides::new(1, overrides), 1)
}

fn enforced() -> Vec<(&'static str, &'static Property)> {
    let connectors = categories().iter().flat_map(|category| category.connectors);
    let properties = connectors.flat_map(|connector| connector.properties.iter().chain(connector.numbered));
    properties
        .filter(|property| matches!(property.effect, Effect::Enforced { .. }))
        .map(|property| {
            let name =
                if property.name == "passwordExpiry.rule" { "passwordExpiry.rule7" } else { property.name };
            (name, property)
        })
        .collect()
}

#[test]
fn enforced_properties_are_those_with_a_setting() {
    let mut enforced: Vec<_> = enforced().into_iter().map(|(_, property)| property.name).collect();
    let tables = [account_lock::GOVERNED, password_policy::GOVERNED, account_rules::GOVERNED];
    let mut with_setting: Vec<_> = tables.into_iter().flatten().map(|property| property.name).collect();
    with_setting.push("passwordExpiry.rule");
    enforced.sort_unstable();
    with_setting.sort_unstable();
    assert_eq!(enforced, with_setting);
}

#[test]
fn with_nothing_set_every_property_is_its_default() {
    let plain = policy("", "{}", &[]);
    for category in categories() {
        for property in category.connectors.iter().flat_map(|connector| connector.properties) {
            assert_eq!(effective_value(&plain, property.name), property.default, "{}", property.name);
        }
    }
    assert_eq!(effective_value(&plain, "passwordExpiry.rule1"), "");
    assert_eq!(effective_value(&plain, "no.such"), "");
    assert_eq!(effective_value(&plain, "account.lock.handler.enable"), "false", "by an older name");
}

/// Each of four places over the one before, for a property that is a setting and one that is only kept.
#[test]
fn last_source_with_a_value_wins() {
    for (name, say) in [
        ("account.lock.handler.On.Failure.Max.Attempts", ["5", "6", "7", "8"]),
        ("SelfRegistration.VerificationCode.ExpiryTime", ["1440", "6", "7", "8"]),
    ] {
        let deployment = format!("[governance]\n{name:?} = {}\n", say[1]);
        let ours = format!("{{\"governance\": {{{name:?}: {}}}}}", say[2]);
        assert_eq!(effective_value(&policy("", "{}", &[]), name), say[0]);
        assert_eq!(effective_value(&policy(&deployment, "{}", &[]), name), say[1]);
        assert_eq!(effective_value(&policy(&deployment, &ours, &[]), name), say[2]);
        assert_eq!(effective_value(&policy(&deployment, &ours, &[(name, say[3])]), name), say[3]);
    }
    // and a key of our own sets the same setting
    let deployment =
        "[account_lock]\nmax_attempts = 6\ntime = \"90s\"\n[password_policy]\nhistory = 3\nexpiry_days = 0\n";
    let ours = r#"{"account_lock": {"max_attempts": 7}, "governance": {"account.lock.handler.login.fail.timeout.ratio": "3"}}"#;
    let files = policy(deployment, ours, &[]);
    for (name, value) in [
        ("account.lock.handler.On.Failure.Max.Attempts", "7"),
        ("account.lock.handler.Time", "2"),
        ("account.lock.handler.login.fail.timeout.ratio", "3"),
        ("passwordHistory.enable", "true"),
        ("passwordHistory.count", "3"),
        ("passwordExpiry.enablePasswordExpiry", "false"),
        ("passwordExpiry.passwordExpiryInDays", "30"),
    ] {
        assert_eq!(effective_value(&files, name), value, "{name}");
    }
    assert_eq!(files.rules.account_lock.time, Duration::from_secs(90), "as it is written");
}

#[test]
fn minimum_raises_the_maximum_of_another_source() {
    let raised = policy("", "{}", &[("passwordPolicy.min.length", "20"), ("passwordPolicy.enable", "true")]);
    assert_eq!(effective_value(&raised, "passwordPolicy.max.length"), "20");
    assert_eq!((raised.rules.password_policy.min_length, raised.rules.password_policy.max_length), (20, 20));
}

#[test]
fn tenants_without_settings_share_the_defaults() {
    let settings = settings("[account_lock]\nenabled = true\n[password_policy]\nenabled = true\n");
    let acme = TenantId::parse("acme.com").unwrap();
    let of = |set: &TenantOverrides| {
        tenant_file::resolve_with(&settings, &acme, &tenant_file::TenantConf::default(), set, 1)
    };
    let plain = of(&TenantOverrides::none());
    assert!(Arc::ptr_eq(&plain.rules.account_lock, &settings.defaults.rules.account_lock));
    assert!(Arc::ptr_eq(&plain.rules.password_policy, &settings.defaults.rules.password_policy));
    assert!(Arc::ptr_eq(&plain.rules.password_rules, &settings.defaults.rules.password_rules));
    let (one, _) = Overrides::from_rows([("account.lock.handler.Time".to_owned(), "7".to_owned())]);
    let other = of(&TenantOverrides::new(1, one));
    assert_eq!(other.rules.account_lock.time, Duration::from_mins(7));
    assert!(Arc::ptr_eq(&other.rules.password_policy, &settings.defaults.rules.password_policy));
}

/// Values of a kind, of which any may be set alone.
fn values(name: &str, kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Boolean => any::<bool>().prop_map(|on| on.to_string()).boxed(),
        // alone against the other bound's default
        Kind::Integer { max, .. } if name == "passwordPolicy.max.length" => {
            (6..=max).prop_map(|number| number.to_string()).boxed()
        }
        Kind::Integer { min, .. } if name == "passwordPolicy.min.length" => {
            (min..=12).prop_map(|number| number.to_string()).boxed()
        }
        Kind::Integer { min, max, .. } => (min..=max).prop_map(|number| number.to_string()).boxed(),
        Kind::Choice(words) => prop::sample::select(words).prop_map(str::to_owned).boxed(),
        Kind::PasswordPattern => prop::sample::select(vec![".*", "[a-z]{3,}", "(?=.*x).{2,}", r"\d+"])
            .prop_map(str::to_owned)
            .boxed(),
        Kind::Text { .. } => "[ -~]{0,40}".boxed(),
        Kind::Claims => prop::sample::subsequence(LoginAttribute::ALL.to_vec(), 1..=3)
            .prop_shuffle()
            .prop_map(|some| some.iter().map(|one| one.claim()).collect::<Vec<_>>().join(","))
            .boxed(),
        Kind::ExpiryRule => "[1-9],[0-9]{1,3},(roles|groups),(eq|ne),[a-z]{1,5}(,\"a, b\")?".boxed(),
        other => panic!("how is a value of {other:?} made?"),
    }
}

proptest! {
    #[test]
    fn configured_value_is_in_force((name, value) in prop::sample::select(enforced()).prop_flat_map(|(name, property)| {
        values(name, property.kind).prop_map(move |value| (name, property.check(&value).unwrap()))
    })) {
        let set = policy("", "{}", &[(name, &value)]);
        prop_assert_eq!(effective_value(&set, name), value);
    }
}
