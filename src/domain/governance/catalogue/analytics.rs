//! Reporting of sign-ins to an analytics server.

use super::{OTHER_SETTINGS, SWITCH, waits_for};
use crate::domain::governance::{Connector, Effect, Kind, Property};

const ANALYTICS: Effect = waits_for("analytics");
const MILLISECONDS: Kind = Kind::Integer { min: 1, max: 600_000, never: false };

pub(super) const CONNECTOR: Connector = Connector {
    name: "analytics-engine",
    friendly_name: "[Deprecated] Identity Server Analytics",
    category: OTHER_SETTINGS,
    sub_category: "Analytics Engine Configuration",
    order: 9,
    properties: &[
        Property {
            name: "adaptive_authentication.analytics.receiver",
            display_name: "Target Host",
            description: "Where events of sign-ins are sent.",
            meta_type: None,
            kind: Kind::Url { may_be_blank: false },
            default: "https://localhost:8280/",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            name: "adaptive_authentication.analytics.basicAuth.enabled",
            display_name: "Enable Basic Authentication",
            description: "Send user name and password along with every event.",
            meta_type: None,
            default: "true",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            // WSO2's default is the placeholder `change-me`; so it is for the password
            name: "adaptive_authentication.analytics.basicAuth.username",
            display_name: "User ID",
            description: "Target Host Secured User ID.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            name: "__secret__adaptive_authentication.analytics.basicAuth.password",
            display_name: "Secret",
            description: "Target Host Secured Secret. It is never displayed; sending the mask back keeps it.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            // WSO2's list of properties has it without its last letter
            name: "adaptive_authentication.analytics.HTTPConnectionTimeout",
            aliases: &["adaptive_authentication.analytics.HTTPConnectionTimeou"],
            display_name: "HTTP Connection Timeout",
            description: "HTTP Connection Timeout in milliseconds.",
            meta_type: None,
            kind: MILLISECONDS,
            unit: Some("milliseconds"),
            default: "5000",
            effect: ANALYTICS,
        },
        Property {
            name: "adaptive_authentication.analytics.HTTPReadTimeout",
            display_name: "HTTP Read Timeout",
            description: "HTTP Read Timeout in milliseconds.",
            meta_type: None,
            kind: MILLISECONDS,
            unit: Some("milliseconds"),
            default: "5000",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            name: "adaptive_authentication.analytics.HTTPConnectionRequestTimeout",
            display_name: "HTTP Connection Request Timeout",
            description: "HTTP Connection Request Timeout in milliseconds: how long to wait for a free \
                          connection.",
            meta_type: None,
            kind: MILLISECONDS,
            unit: Some("milliseconds"),
            default: "5000",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            // the missing letter is WSO2's
            name: "adaptive_authentication.analytics.hostnameVerfier",
            display_name: "Hostname verification",
            description: "Hostname verification. (STRICT, ALLOW_ALL)",
            meta_type: None,
            kind: Kind::Choice(&["STRICT", "ALLOW_ALL"]),
            default: "STRICT",
            effect: ANALYTICS,
            ..SWITCH
        },
    ],
    numbered: None,
};
