//! A CAPTCHA at sign-in.

use super::{DEFAULT, LOGIN_ATTEMPTS_SECURITY, SWITCH, waits_for};
use crate::domain::governance::{Connector, Kind, Property};

pub(super) const CONNECTOR: Connector = Connector {
    name: "sso.login.recaptcha",
    friendly_name: "reCaptcha for SSO Login",
    category: LOGIN_ATTEMPTS_SECURITY,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "sso.login.recaptcha.enable.always",
            display_name: "Always prompt reCaptcha",
            description: "Always prompt reCaptcha verification during SSO login flow. It wins over the next one.",
            meta_type: None,
            effect: waits_for("CAPTCHA"),
            ..SWITCH
        },
        Property {
            name: "sso.login.recaptcha.enable",
            display_name: "Prompt reCaptcha after max failed attempts",
            description: "Prompt reCaptcha verification during SSO login flow only after the max failed attempts \
                          exceeded. Attempts are only counted while accounts are locked for them.",
            meta_type: None,
            effect: waits_for("CAPTCHA"),
            ..SWITCH
        },
        Property {
            name: "sso.login.recaptcha.on.max.failed.attempts",
            display_name: "Max failed attempts for reCaptcha",
            description: "Number of failed attempts allowed without prompting reCaptcha verification.",
            meta_type: None,
            kind: Kind::Integer { min: 0, max: 1_000, never: false },
            unit: Some("attempts"),
            default: "3",
            effect: waits_for("CAPTCHA"),
            ..SWITCH
        },
    ],
    numbered: None,
};
