//! Password expiry.

use super::{DEFAULT, PASSWORD_POLICIES, SWITCH, enforced};
use crate::domain::governance::{Connector, Effect, Kind, Property};

const AT_SIGN_IN: Effect =
    enforced("at sign-in: whose password has expired must choose another before anything else");

/// A numbered property: `passwordExpiry.rule1`, `passwordExpiry.rule2` …
const RULE: Property = Property {
    name: "passwordExpiry.rule",
    display_name: "Password expiry rule",
    description: "After how many days the passwords of some people expire: priority, days, `roles` or `groups`, `eq` or \
                  `ne`, names. It is about people who have all of the names. With `eq` their passwords expire after so \
                  many days (0: never); with `ne` they do not expire, which counts only while those of people without a \
                  rule do. The rule with the smallest priority decides. A name with a comma in it stands in single \
                  quotes. Blank removes the rule.",
    meta_type: None,
    kind: Kind::ExpiryRule,
    unit: None,
    default: "",
    effect: AT_SIGN_IN,
    ..SWITCH
};

pub(super) const CONNECTOR: Connector = Connector {
    name: "passwordExpiry",
    friendly_name: "Password Expiry",
    category: PASSWORD_POLICIES,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "passwordExpiry.enablePasswordExpiry",
            display_name: "Enable Password Expiry",
            description: "Allow users to reset the password after configured number of days.",
            meta_type: None,
            effect: AT_SIGN_IN,
            ..SWITCH
        },
        Property {
            name: "passwordExpiry.passwordExpiryInDays",
            display_name: "Password Expiry In Days",
            description: "Number of days after which a password expires, counted from when it was set.",
            meta_type: None,
            kind: Kind::Integer { min: 1, max: 36_500, never: false },
            unit: Some("days"),
            default: "30",
            effect: AT_SIGN_IN,
            ..SWITCH
        },
        Property {
            name: "passwordExpiry.skipIfNoApplicableRules",
            display_name: "Skip password expiry if no applicable rules",
            description: "The password of a user without an applicable rule does not expire, instead of after the \
                          number of days above.",
            meta_type: None,
            effect: AT_SIGN_IN,
            ..SWITCH
        },
        Property {
            name: "passwordExpiry.enforcementScope",
            display_name: "Password Reset Enforcement Scope",
            description: "Where an expired password has to be changed: at every sign-in (ORG_WIDE), or only where an \
                          application asks for it (APP_WITH_ENFORCER). No application in front of which Doorward \
                          stands asks, so APP_WITH_ENFORCER delays no sign-in.",
            meta_type: None,
            kind: Kind::Choice(&["ORG_WIDE", "APP_WITH_ENFORCER"]),
            default: "ORG_WIDE",
            effect: AT_SIGN_IN,
            ..SWITCH
        },
    ],
    numbered: Some(&RULE),
};
