//! Suspension of idle accounts.

use super::{ACCOUNT_MANAGEMENT, DEFAULT, SWITCH, waits_for};
use crate::domain::governance::{Connector, Effect, Kind, Property};

const IDLE: Effect = waits_for("suspension of idle accounts");

pub(super) const CONNECTOR: Connector = Connector {
    name: "suspension.notification",
    friendly_name: "Idle Account Suspend",
    category: ACCOUNT_MANAGEMENT,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "suspension.notification.enable",
            display_name: "Suspend idle user accounts",
            description: "Lock user account after a given idle period.",
            meta_type: None,
            effect: IDLE,
            ..SWITCH
        },
        Property {
            name: "suspension.notification.account.disable.delay",
            display_name: "Allowed idle time span in days",
            description: "Time period in days before locking the user account.",
            meta_type: None,
            kind: Kind::Integer { min: 1, max: 36_500, never: false },
            unit: Some("days"),
            default: "90",
            effect: IDLE,
            ..SWITCH
        },
        Property {
            name: "suspension.notification.delays",
            display_name: "Alert sending time periods in days",
            description: "Send warning alerts to users before locking the account after each period. Comma-separated \
                          multiple values accepted.",
            meta_type: None,
            kind: Kind::Days { most: 20, max: 36_500 },
            unit: Some("days"),
            default: "30,45,60,75",
            effect: IDLE,
            ..SWITCH
        },
        Property {
            name: "suspension.notification.date.format",
            display_name: "Alert date format",
            description: "How the day of the lock is written in a warning.",
            meta_type: None,
            kind: Kind::DateFormat,
            default: "dd-MM-yyyy",
            effect: waits_for("mail"),
            ..SWITCH
        },
    ],
    numbered: None,
};
