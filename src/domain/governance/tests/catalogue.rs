//! The content of the catalogue, and its lookup.

use std::collections::HashSet;

use super::{super::*, all, seed::SEED};

#[test]
fn ids_are_the_names_in_base64url() {
    for (name, id) in [
        ("Password Policies", "UGFzc3dvcmQgUG9saWNpZXM"),
        ("User Onboarding", "VXNlciBPbmJvYXJkaW5n"),
        ("Login Attempts Security", "TG9naW4gQXR0ZW1wdHMgU2VjdXJpdHk"),
        ("Other Settings", "T3RoZXIgU2V0dGluZ3M"),
        ("Account Management", "QWNjb3VudCBNYW5hZ2VtZW50"),
        ("Multi Factor Authenticators", "TXVsdGkgRmFjdG9yIEF1dGhlbnRpY2F0b3Jz"),
    ] {
        assert_eq!(category(id).map(|found| found.name), Some(name));
        assert_eq!(lookup::category_named(name).map(Category::id).as_deref(), Some(id));
    }
    for (name, id) in [
        ("passwordHistory", "cGFzc3dvcmRIaXN0b3J5"),
        ("passwordPolicy", "cGFzc3dvcmRQb2xpY3k"),
        ("passwordExpiry", "cGFzc3dvcmRFeHBpcnk"),
        ("self-sign-up", "c2VsZi1zaWduLXVw"),
        ("lite-user-sign-up", "bGl0ZS11c2VyLXNpZ24tdXA"),
        ("user-email-verification", "dXNlci1lbWFpbC12ZXJpZmljYXRpb24"),
        ("account.lock.handler", "YWNjb3VudC5sb2NrLmhhbmRsZXI"),
        ("sso.login.recaptcha", "c3NvLmxvZ2luLnJlY2FwdGNoYQ"),
        ("pii-controller", "cGlpLWNvbnRyb2xsZXI"),
        ("analytics-engine", "YW5hbHl0aWNzLWVuZ2luZQ"),
        ("elastic-analytics-engine", "ZWxhc3RpYy1hbmFseXRpY3MtZW5naW5l"),
        ("user-claim-update", "dXNlci1jbGFpbS11cGRhdGU"),
        ("suspension.notification", "c3VzcGVuc2lvbi5ub3RpZmljYXRpb24"),
        ("account.disable.handler", "YWNjb3VudC5kaXNhYmxlLmhhbmRsZXI"),
        ("account-recovery", "YWNjb3VudC1yZWNvdmVyeQ"),
        ("admin-forced-password-reset", "YWRtaW4tZm9yY2VkLXBhc3N3b3JkLXJlc2V0"),
        ("multiattribute.login.handler", "bXVsdGlhdHRyaWJ1dGUubG9naW4uaGFuZGxlcg"),
        ("email-otp-authenticator", "ZW1haWwtb3RwLWF1dGhlbnRpY2F0b3I"),
        ("sms-otp-authenticator", "c21zLW90cC1hdXRoZW50aWNhdG9y"),
    ] {
        assert_eq!(connector(id).map(|found| found.name), Some(name));
        assert_eq!(connector_named(name).map(Connector::id).as_deref(), Some(id));
    }
    assert_eq!(categories().iter().map(|category| category.connectors.len()).sum::<usize>(), 19);
}

#[test]
fn unknown_id_finds_nothing() {
    // nonsense, padded, of a text that is none, of a name that is not there, of a connector for a category
    for id in [
        "",
        "!",
        "cGFzc3dvcmRIaXN0b3J5==",
        "cGFzc3dvcmRQb2xpY3k=",
        "_w",
        "cmFuZG9tQ2F0ZWdvcnk",
        "randomCategory",
    ] {
        assert!(category(id).is_none() && connector(id).is_none(), "{id}");
    }
    assert!(category("cGFzc3dvcmRIaXN0b3J5").is_none() && connector("UGFzc3dvcmQgUG9saWNpZXM").is_none());
}

#[test]
fn no_name_stands_for_two_things() {
    let mut seen = HashSet::new();
    for (_, property) in all() {
        for name in std::iter::once(&property.name).chain(property.aliases) {
            assert!(seen.insert(*name), "{name}");
        }
    }
    let connectors: Vec<_> = categories().iter().flat_map(|category| category.connectors).collect();
    assert_eq!(connectors.iter().map(|c| c.name).collect::<HashSet<_>>().len(), connectors.len());
    assert_eq!(connectors.iter().map(|c| c.friendly_name).collect::<HashSet<_>>().len(), connectors.len());
}

#[test]
fn every_connector_and_property_is_whole() {
    for category in categories() {
        for connector in category.connectors {
            assert_eq!(connector.category, category.name, "{}", connector.name);
            assert!(
                !connector.sub_category.is_empty() && !connector.properties.is_empty(),
                "{}",
                connector.name
            );
        }
    }
    for (connector, property) in all() {
        let name = property.name;
        assert!(!name.is_empty() && !property.display_name.is_empty(), "{}: {name}", connector.name);
        let description = property.description;
        assert!(description.ends_with(['.', ')']) && !description.contains("  "), "{name}: {description}");
        assert_eq!(property.check(property.default).as_deref(), Ok(property.default), "{name}: its default");
        assert_eq!(property.effect == Effect::ReadOnly, property.kind == Kind::Link, "{name}");
        let meta = match property.kind {
            Kind::Boolean => "boolean",
            // the length of a code is a text for WSO2
            Kind::Integer { .. } if name.ends_with("OTPLength") => "string",
            Kind::Integer { .. } => "integer",
            Kind::Link => "uri",
            _ => "string",
        };
        assert!(property.meta_type.is_none_or(|found| found == meta), "{name}: {:?}", property.meta_type);
        let counts = matches!(property.kind, Kind::Integer { .. } | Kind::Days { .. });
        assert_eq!(counts, property.unit.is_some(), "{name}: its unit");
    }
}

#[test]
fn enforced_properties_state_version_and_effect() {
    let number = |version: &str| version.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>();
    for (_, property) in all() {
        if let Effect::Enforced { since, how } = property.effect {
            assert!(
                number(since) <= number(env!("CARGO_PKG_VERSION")) && !how.is_empty(),
                "{}",
                property.name
            );
        }
    }
}

#[test]
fn the_published_list_is_in_the_catalogue_by_its_own_spellings() {
    assert_eq!(SEED.len(), 94);
    for (friendly, display, name) in SEED {
        let connectors = || categories().iter().flat_map(|category| category.connectors);
        let wanted = if *friendly == "Analytics Engine Configuration" {
            "[Deprecated] Identity Server Analytics"
        } else {
            friendly
        };
        let connector = connectors().find(|connector| connector.friendly_name == wanted).expect(friendly);
        let (name, display) = match (*friendly, *display) {
            // names of other properties, by a slip
            ("Account Recovery", "Security question answer regex") => {
                ("Recovery.Question.Answer.Regex", *display)
            }
            ("Lite User Registration", "Manage Lite-Sign-Up purposes") => {
                ("_url_listPurposeLiteUserSignUp", *display)
            }
            // a shifted row
            (_, "Email Address") => ("email", *display),
            // renamed since
            (_, "Lock user accounts") => (*name, "Lock user accounts on maximum failed attempts"),
            (_, "Enable password reset via OTP") => (*name, "Enable password reset via Email OTP"),
            _ => (*name, *display),
        };
        let found = connector.property(name).unwrap_or_else(|| panic!("{friendly}: {name}"));
        assert!(found.property.display_name.eq_ignore_ascii_case(display), "{name}: {display}");
    }
}

#[test]
fn an_alias_finds_the_property_under_its_own_name() {
    for (alias, name) in [
        ("account.lock.handler.enable", "account.lock.handler.lock.on.max.failed.attempts.enable"),
        ("Recovery.Question.Answer.Uniquenes", "Recovery.Question.Answer.Uniqueness"),
        (
            "adaptive_authentication.analytics.HTTPConnectionTimeou",
            "adaptive_authentication.analytics.HTTPConnectionTimeout",
        ),
    ] {
        assert_eq!(property(alias).unwrap().name, name);
    }
    // names are case-sensitive, as in WSO2
    assert!(property("PasswordHistory.enable").is_none());
}

#[test]
fn numbered_rules_have_a_number() {
    let expiry = connector_named("passwordExpiry").unwrap();
    for name in ["passwordExpiry.rule1", "passwordExpiry.rule42", "passwordExpiry.rule100"] {
        let found = expiry.property(name).expect(name);
        assert_eq!((found.name.as_ref(), found.property.name), (name, "passwordExpiry.rule"));
    }
    for name in ["", "0", "01", "101", "-1", "+1", "x", "1x", " 1", "99999999999"] {
        assert!(property(&format!("passwordExpiry.rule{name}")).is_none(), "{name}");
    }
    assert!(connector_named("passwordPolicy").unwrap().property("passwordExpiry.rule1").is_none());
}

#[test]
fn account_lock_has_the_six_properties_of_wso2() {
    assert_eq!(connector_named("account.lock.handler").unwrap().properties.len(), 6);
}

#[test]
fn secrets_are_known_by_their_names() {
    // a refusal of any other kind repeats what was sent
    assert!(all().filter(|(_, p)| p.is_secret()).all(|(_, p)| matches!(p.kind, Kind::Text { .. })));
    let secrets: Vec<_> = all().filter(|(_, p)| p.is_secret()).map(|(_, p)| p.name).collect();
    assert_eq!(
        secrets,
        [
            "__secret__adaptive_authentication.analytics.basicAuth.password",
            "__secret__adaptive_authentication.elastic.basicAuth.password",
        ]
    );
}
