//! Reporting of sign-ins to Elasticsearch.

use super::{DEFAULT, OTHER_SETTINGS, SWITCH, waits_for};
use crate::domain::governance::{Connector, Effect, Kind, Property};

const ANALYTICS: Effect = waits_for("analytics");
const MILLISECONDS: Kind = Kind::Integer { min: 1, max: 600_000, never: false };

pub(super) const CONNECTOR: Connector = Connector {
    name: "elastic-analytics-engine",
    friendly_name: "ELK Analytics",
    category: OTHER_SETTINGS,
    sub_category: DEFAULT,
    // order and sub category are not in the facts known of WSO2: after the deprecated one, in a group without a name
    order: 10,
    properties: &[
        Property {
            name: "adaptive_authentication.elastic.receiver",
            display_name: "Elasticsearch Host",
            description: "Where events of sign-ins are sent.",
            meta_type: None,
            kind: Kind::Url { may_be_blank: false },
            default: "https://localhost:9200",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            name: "adaptive_authentication.elastic.basicAuth.enabled",
            display_name: "Enable Basic Authentication",
            description: "Send user name and password along with every event.",
            meta_type: None,
            default: "true",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            // WSO2's default is the placeholder `change-me`; so it is for the password
            name: "adaptive_authentication.elastic.basicAuth.username",
            display_name: "Elasticsearch Username",
            description: "Target Host Secured User ID.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            name: "__secret__adaptive_authentication.elastic.basicAuth.password",
            display_name: "Elasticsearch Password",
            description: "Target Host Secured Secret. It is never displayed; sending the mask back keeps it.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            name: "adaptive_authentication.elastic.HTTPConnectionTimeout",
            display_name: "HTTP Connection Timeout",
            description: "HTTP Connection Timeout in milliseconds.",
            meta_type: None,
            kind: MILLISECONDS,
            unit: Some("milliseconds"),
            default: "5000",
            effect: ANALYTICS,
            ..SWITCH
        },
        Property {
            name: "adaptive_authentication.elastic.HTTPReadTimeout",
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
            name: "adaptive_authentication.elastic.HTTPConnectionRequestTimeout",
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
            name: "adaptive_authentication.elastic.hostnameVerfier",
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
