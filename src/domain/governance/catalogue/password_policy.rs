//! Password policy: length and pattern of a new password.

use super::{DEFAULT, PASSWORD_POLICIES, SWITCH, enforced};
use crate::domain::{
    governance::{Connector, Effect, Kind, Property},
    password::{WSO2_MESSAGE, WSO2_PATTERN},
};

const NEW_PASSWORDS: Effect = enforced("for every new password, set by a user or an administrator");

/// Upper limit of every policy (`password::MAX_CHARACTERS`).
const LENGTH: Kind = Kind::Integer { min: 1, max: 256, never: false };

pub(super) const CONNECTOR: Connector = Connector {
    name: "passwordPolicy",
    friendly_name: "Password Patterns",
    category: PASSWORD_POLICIES,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "passwordPolicy.enable",
            display_name: "Validate passwords based on a policy pattern",
            description: "Validate user passwords against a policy: their length, the pattern, and that they are not \
                          the user name.",
            meta_type: None,
            effect: NEW_PASSWORDS,
            ..SWITCH
        },
        Property {
            name: "passwordPolicy.min.length",
            display_name: "Minimum number of characters",
            description: "This denotes the minimum number of characters in the password. It cannot be more than the \
                          maximum.",
            meta_type: None,
            kind: LENGTH,
            unit: Some("characters"),
            default: "6",
            effect: NEW_PASSWORDS,
            ..SWITCH
        },
        Property {
            name: "passwordPolicy.max.length",
            display_name: "Maximum number of characters",
            description: "This denotes the maximum number of characters in the password.",
            meta_type: None,
            kind: LENGTH,
            unit: Some("characters"),
            default: "12",
            effect: NEW_PASSWORDS,
            ..SWITCH
        },
        Property {
            name: "passwordPolicy.pattern",
            display_name: "Password pattern regex",
            description: "The regular expression pattern to validate the password. The whole password has to match; \
                          look-ahead is possible, and `.*` lets everything pass.",
            meta_type: None,
            kind: Kind::PasswordPattern,
            default: WSO2_PATTERN,
            effect: NEW_PASSWORDS,
            ..SWITCH
        },
        Property {
            name: "passwordPolicy.errorMsg",
            display_name: "Error message on pattern violation",
            description: "The error message that will be displayed when a pattern violation is detected in the \
                          password.",
            meta_type: None,
            kind: Kind::Text { most: 512, blank_is_default: true },
            // WSO2 displays it with quotes, which have no meaning
            default: WSO2_MESSAGE,
            effect: NEW_PASSWORDS,
            ..SWITCH
        },
    ],
    numbered: None,
};
