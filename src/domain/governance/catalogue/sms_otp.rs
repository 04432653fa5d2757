//! A code by text message as a second factor.

use super::{DEFAULT, MULTI_FACTOR_AUTHENTICATORS, SWITCH, waits_for};
use crate::domain::governance::{Connector, Effect, Kind, Property};

// Not in the facts known of WSO2 are all display names, bounds and defaults of this connector.
const CODES: Effect = waits_for("one-time passwords by text message as a second factor");

pub(super) const CONNECTOR: Connector = Connector {
    name: "sms-otp-authenticator",
    friendly_name: "SMS OTP",
    category: MULTI_FACTOR_AUTHENTICATORS,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "SmsOTP.ExpiryTime",
            display_name: "SMS OTP expiry time",
            description: "How long a code can be used.",
            meta_type: None,
            kind: Kind::Integer { min: 1, max: 1_440, never: false },
            unit: Some("minutes"),
            default: "5",
            effect: CODES,
            ..SWITCH
        },
        Property {
            name: "SmsOTP.OTPLength",
            display_name: "SMS OTP length",
            description: "How many characters a code has.",
            meta_type: None,
            kind: Kind::Integer { min: 4, max: 10, never: false },
            unit: Some("characters"),
            default: "6",
            effect: CODES,
            ..SWITCH
        },
        Property {
            name: "SmsOTP.OtpRegex.UseNumericChars",
            display_name: "Use only numbers in SMS OTP",
            description: "A code has digits only, instead of digits and letters.",
            meta_type: None,
            default: "true",
            effect: CODES,
            ..SWITCH
        },
        Property {
            name: "SmsOTP.ResendAttemptsCount",
            display_name: "Allowed resends of SMS OTP",
            description: "So many times a code can be asked for again in one sign-in.",
            meta_type: None,
            kind: Kind::Integer { min: 0, max: 100, never: false },
            unit: Some("attempts"),
            default: "5",
            effect: CODES,
            ..SWITCH
        },
    ],
    numbered: None,
};
