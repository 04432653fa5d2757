//! Disabling of accounts by an administrator.

use super::{ACCOUNT_MANAGEMENT, DEFAULT, SWITCH, enforced, waits_for};
use crate::domain::governance::{Connector, Property};

pub(super) const CONNECTOR: Connector = Connector {
    name: "account.disable.handler",
    friendly_name: "Account Disable",
    category: ACCOUNT_MANAGEMENT,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "account.disable.handler.enable",
            display_name: "Enable account disabling",
            description: "Allow an administrative user to disable user accounts. While this is off, an account that \
                          is marked as disabled can be used like any other. On unless it is switched off, unlike WSO2: \
                          who was disabled stays out.",
            meta_type: None,
            default: "true",
            effect: enforced("on every login channel, and in existing sessions"),
            ..SWITCH
        },
        Property {
            name: "account.disable.handler.notification.manageInternally",
            display_name: "Manage notification sending internally",
            description: "This property should be disabled if the client application handles notification sending.",
            meta_type: None,
            default: "true",
            effect: waits_for("mail"),
            ..SWITCH
        },
    ],
    numbered: None,
};
