//! Every category, connector and property, as data. Names, display names, types and defaults are WSO2's.

mod account_disable;
mod account_lock;
mod admin_password_reset;
mod analytics;
mod ask_password;
mod claim_update;
mod consent_controller;
mod elastic_analytics;
mod email_otp;
mod idle_suspend;
mod lite_registration;
mod multi_attribute;
mod password_expiry;
mod password_history;
mod password_policy;
mod recovery;
mod self_registration;
mod sms_otp;
mod sso_recaptcha;

use super::{Category, Effect, Kind, Property};

const PASSWORD_POLICIES: &str = "Password Policies";
const USER_ONBOARDING: &str = "User Onboarding";
const LOGIN_ATTEMPTS_SECURITY: &str = "Login Attempts Security";
const OTHER_SETTINGS: &str = "Other Settings";
const ACCOUNT_MANAGEMENT: &str = "Account Management";
// not documented by WSO2, except for the id that its console requests
const MULTI_FACTOR_AUTHENTICATORS: &str = "Multi Factor Authenticators";

static CATEGORIES: [Category; 6] = [
    Category {
        name: PASSWORD_POLICIES,
        connectors: &[password_history::CONNECTOR, password_policy::CONNECTOR, password_expiry::CONNECTOR],
    },
    Category {
        name: USER_ONBOARDING,
        connectors: &[self_registration::CONNECTOR, lite_registration::CONNECTOR, ask_password::CONNECTOR],
    },
    Category {
        name: LOGIN_ATTEMPTS_SECURITY,
        connectors: &[account_lock::CONNECTOR, sso_recaptcha::CONNECTOR],
    },
    Category {
        name: OTHER_SETTINGS,
        connectors: &[
            consent_controller::CONNECTOR,
            analytics::CONNECTOR,
            elastic_analytics::CONNECTOR,
            claim_update::CONNECTOR,
        ],
    },
    Category {
        name: ACCOUNT_MANAGEMENT,
        connectors: &[
            idle_suspend::CONNECTOR,
            account_disable::CONNECTOR,
            recovery::CONNECTOR,
            admin_password_reset::CONNECTOR,
            multi_attribute::CONNECTOR,
        ],
    },
    Category { name: MULTI_FACTOR_AUTHENTICATORS, connectors: &[email_otp::CONNECTOR, sms_otp::CONNECTOR] },
];

pub fn categories() -> &'static [Category] {
    &CATEGORIES
}

/// The sub-category of connectors without one.
const DEFAULT: &str = "DEFAULT";

/// The version since which these properties are enforced.
const SINCE_0_1: &str = "0.1.0";

const fn enforced(how: &'static str) -> Effect {
    Effect::Enforced { since: SINCE_0_1, how }
}

const fn waits_for(feature: &'static str) -> Effect {
    Effect::Stored { missing_feature: feature }
}

/// Template of most properties: a switch that is off by default.
const SWITCH: Property = Property {
    name: "",
    aliases: &[],
    display_name: "",
    description: "",
    meta_type: Some("boolean"),
    kind: Kind::Boolean,
    unit: None,
    default: "false",
    effect: Effect::ReadOnly,
};

const NUMBER: Property = Property { meta_type: Some("integer"), ..SWITCH };

/// How long a link or a code by mail can be used: a year at most, or without end.
const LINK_MINUTES: Property = Property {
    kind: Kind::Integer { min: 1, max: 525_600, never: true },
    unit: Some("minutes"),
    default: "1440",
    ..NUMBER
};

/// How long a short code can be used: it must end, as it can be guessed.
const SMS_MINUTES: Property = Property {
    kind: Kind::Integer { min: 1, max: 1_440, never: false },
    unit: Some("minutes"),
    default: "1",
    ..NUMBER
};

const SMS_FORMAT: Property =
    Property { meta_type: Some("string"), kind: Kind::OtpFormat, default: "[a-zA-Z0-9]{6}", ..SWITCH };

/// A kind of characters of one-time passwords. In WSO2's code without a default, in its product on.
const CODE_SWITCH: Property = Property { default: "true", ..SWITCH };

const CODE_LENGTH: Property = Property {
    meta_type: Some("string"),
    kind: Kind::Integer { min: 4, max: 10, never: false },
    unit: Some("characters"),
    default: "6",
    ..SWITCH
};

/// WSO2's default lets every URL pass, or the server's own origin where its product fills that in.
const CALLBACK: Property =
    Property { meta_type: Some("string"), kind: Kind::CallbackPattern, default: "", ..SWITCH };

/// A page of WSO2's console.
const LINK: Property = Property { meta_type: Some("uri"), kind: Kind::Link, ..SWITCH };
