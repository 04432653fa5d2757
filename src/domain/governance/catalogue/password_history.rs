//! Password history: recent passwords cannot be used again.

use super::{DEFAULT, PASSWORD_POLICIES, SWITCH, enforced};
use crate::domain::governance::{Connector, Kind, Property};

pub(super) const CONNECTOR: Connector = Connector {
    name: "passwordHistory",
    friendly_name: "Password History",
    category: PASSWORD_POLICIES,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "passwordHistory.enable",
            display_name: "Validate password history",
            description: "User will not be allowed to use previously used passwords.",
            meta_type: None,
            effect: enforced("when a password is changed or set, and kept from when it is set"),
            ..SWITCH
        },
        Property {
            name: "passwordHistory.count",
            display_name: "Password history validation count",
            description: "Restrict reusing this number of previously used passwords during a password update. The \
                          password in use counts as one of them.",
            meta_type: None,
            kind: Kind::Integer { min: 1, max: 100, never: false },
            unit: Some("passwords"),
            default: "5",
            effect: enforced("when a password is changed or set"),
            ..SWITCH
        },
    ],
    numbered: None,
};
