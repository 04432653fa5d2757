//! Account lockout after failed logins.

use super::{DEFAULT, LOGIN_ATTEMPTS_SECURITY, SWITCH, enforced, waits_for};
use crate::domain::governance::{Connector, Kind, Property};

pub(super) const CONNECTOR: Connector = Connector {
    name: "account.lock.handler",
    friendly_name: "Account Lock",
    category: LOGIN_ATTEMPTS_SECURITY,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "account.lock.handler.lock.on.max.failed.attempts.enable",
            // its name before 2021, when switching it off also switched off locks set by an administrator
            aliases: &["account.lock.handler.enable"],
            display_name: "Lock user accounts on maximum failed attempts",
            description: "Lock user accounts on failed login attempts. Locks that exist, and those set by an \
                          administrator, hold also when this is off.",
            meta_type: None,
            effect: enforced("on every login channel with a password"),
            ..SWITCH
        },
        Property {
            name: "account.lock.handler.On.Failure.Max.Attempts",
            display_name: "Maximum failed login attempts",
            description: "Number of failed login attempts allowed before the account is locked. The attempt with this \
                          number locks.",
            meta_type: None,
            kind: Kind::Integer { min: 1, max: 1_000, never: false },
            unit: Some("attempts"),
            default: "5",
            effect: enforced("on every login channel with a password"),
            ..SWITCH
        },
        Property {
            name: "account.lock.handler.Time",
            display_name: "Initial account lock duration",
            description: "The time period for which an account will remain locked during the first account locking \
                          instance. Account will be automatically unlocked after this time period; 0 locks it until \
                          an administrator unlocks it.",
            meta_type: None,
            kind: Kind::Integer { min: 0, max: 525_600, never: false },
            unit: Some("minutes"),
            default: "5",
            effect: enforced("on the next lock; no lock lasts longer than `account_lock.max_duration`"),
            ..SWITCH
        },
        Property {
            name: "account.lock.handler.login.fail.timeout.ratio",
            display_name: "Account lock duration increment factor",
            description: "Account lock duration will be increased by this factor. Ex: Initial duration: 5m; Increment \
                          factor: 2; Next lock duration: 5 x 2 = 10m. A sign-in between two locks starts over.",
            meta_type: None,
            kind: Kind::Integer { min: 1, max: 1_000, never: false },
            unit: Some("times"),
            default: "2",
            effect: enforced("on the next lock; no lock lasts longer than `account_lock.max_duration`"),
            ..SWITCH
        },
        Property {
            name: "account.lock.handler.notification.manageInternally",
            display_name: "Manage notification sending internally",
            description: "This property should be disabled if the client application handles notification sending.",
            meta_type: None,
            default: "true",
            effect: waits_for("mail"),
            ..SWITCH
        },
        Property {
            name: "account.lock.handler.notification.notifyOnLockIncrement",
            display_name: "Notify user when lock time is increased",
            description: "Also send a mail when a further lock in a row lasts longer than the one before.",
            meta_type: None,
            effect: waits_for("mail"),
            ..SWITCH
        },
    ],
    numbered: None,
};
