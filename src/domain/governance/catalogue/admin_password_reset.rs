//! Password reset forced by an administrator.

use super::{ACCOUNT_MANAGEMENT, DEFAULT, LINK_MINUTES, SWITCH, waits_for};
use crate::domain::governance::{Connector, Effect, Property};

const RESET: Effect = waits_for("password reset by an administrator");

pub(super) const CONNECTOR: Connector = Connector {
    name: "admin-forced-password-reset",
    friendly_name: "Password Reset",
    category: ACCOUNT_MANAGEMENT,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "Recovery.AdminPasswordReset.RecoveryLink",
            display_name: "Enable password reset via recovery e-mail",
            description: "User gets notified with a link to reset password. At most one of the four methods can be on.",
            effect: RESET,
            ..SWITCH
        },
        Property {
            name: "Recovery.AdminPasswordReset.OTP",
            display_name: "Enable password reset via Email OTP",
            description: "User gets notified with a one-time password to try with SSO login.",
            effect: RESET,
            ..SWITCH
        },
        Property {
            name: "Recovery.AdminPasswordReset.SMSOTP",
            display_name: "Enable password reset via SMS OTP",
            description: "User gets a text message with a one-time password to try with SSO login.",
            effect: RESET,
            ..SWITCH
        },
        Property {
            name: "Recovery.AdminPasswordReset.Offline",
            display_name: "Enable password reset offline",
            description: "An OTP will be generated and stored in users claims, for the administrator to hand over.",
            effect: RESET,
            ..SWITCH
        },
        Property {
            name: "Recovery.AdminPasswordReset.ExpiryTime",
            display_name: "Admin forced password reset code expiry time",
            description: "How long the link or one-time password can be used.",
            effect: RESET,
            ..LINK_MINUTES
        },
    ],
    numbered: None,
};
