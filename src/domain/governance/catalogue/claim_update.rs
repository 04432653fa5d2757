//! A changed e-mail address or phone number is confirmed before it counts.

use super::{
    CODE_LENGTH, CODE_SWITCH, DEFAULT, LINK_MINUTES, OTHER_SETTINGS, SMS_MINUTES, SWITCH, waits_for,
};
use crate::domain::governance::{Connector, Effect, Property};

const VERIFICATION: Effect = waits_for("verification of changed addresses and numbers");
const MAIL: Effect = waits_for("mail");

pub(super) const CONNECTOR: Connector = Connector {
    name: "user-claim-update",
    friendly_name: "User Claim Update",
    category: OTHER_SETTINGS,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "UserClaimUpdate.Email.EnableVerification",
            display_name: "Enable user email verification on update",
            description: "Trigger a verification notification when user's email address is updated. Until it \
                          is confirmed the old address counts.",
            effect: VERIFICATION,
            ..SWITCH
        },
        Property {
            name: "UserClaimUpdate.Email.VerificationCode.ExpiryTime",
            display_name: "Email verification on update link expiry time",
            description: "Validity time of the email confirmation link in minutes.",
            effect: VERIFICATION,
            ..LINK_MINUTES
        },
        Property {
            name: "UserClaimUpdate.MobileNumber.EnableVerification",
            display_name: "Enable user mobile number verification on update",
            description: "Trigger a verification SMS OTP when user's mobile number is updated.",
            effect: VERIFICATION,
            ..SWITCH
        },
        Property {
            name: "UserClaimUpdate.MobileNumber.VerificationCode.ExpiryTime",
            display_name: "Mobile number verification on update SMS OTP expiry time",
            description: "Validity time of the mobile number confirmation OTP in minutes.",
            default: "5",
            effect: VERIFICATION,
            ..SMS_MINUTES
        },
        Property {
            name: "UserClaimUpdate.Email.EnableEmailOTP",
            display_name: "Enable user email OTP verification on update",
            description: "A changed e-mail address is confirmed with a one-time password.",
            effect: VERIFICATION,
            ..SWITCH
        },
        Property {
            name: "UserClaimUpdate.Email.EnableSkipInitiatingVerificationByPrivilegedUser",
            display_name: "Enable skipping initiating email verification by privileged users",
            description: "An address that an administrator changes counts at once.",
            effect: VERIFICATION,
            ..SWITCH
        },
        Property {
            name: "UserClaimUpdate.Email.EnableNotification",
            display_name: "Enable user email notification on update",
            description: "Tell the old address that another one has taken its place.",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "UserClaimUpdate.OTP.SendOTPInEmail",
            display_name: "Send OTP in e-mail",
            description: "The mail has a one-time password to type, instead of a link.",
            effect: VERIFICATION,
            ..SWITCH
        },
        Property {
            name: "UserClaimUpdate.OTP.UseUppercaseCharactersInOTP",
            display_name: "Include uppercase characters in OTP",
            description: "One-time passwords may have the letters A to Z. One of the three kinds of characters \
                          must be on.",
            effect: VERIFICATION,
            ..CODE_SWITCH
        },
        Property {
            name: "UserClaimUpdate.OTP.UseLowercaseCharactersInOTP",
            display_name: "Include lowercase characters in OTP",
            description: "One-time passwords may have the letters a to z.",
            effect: VERIFICATION,
            ..CODE_SWITCH
        },
        Property {
            name: "UserClaimUpdate.OTP.UseNumbersInOTP",
            display_name: "Include numbers in OTP",
            description: "One-time passwords may have the digits 0 to 9.",
            effect: VERIFICATION,
            ..CODE_SWITCH
        },
        Property {
            name: "UserClaimUpdate.OTP.OTPLength",
            display_name: "OTP length",
            description: "How many characters one-time passwords have.",
            effect: VERIFICATION,
            ..CODE_LENGTH
        },
        Property {
            name: "UserClaimUpdate.MobileNumber.EnableVerificationByPrivilegedUser",
            display_name: "Enable mobile number verification by privileged users",
            description: "An administrator may start the verification of a user's number.",
            meta_type: None,
            effect: VERIFICATION,
            ..SWITCH
        },
        Property {
            name: "UserClaimUpdate.MobileNumber.EnableSkipInitiatingVerificationByPrivilegedUser",
            display_name: "Enable skipping initiating mobile verification by privileged users",
            description: "A number that an administrator changes counts at once.",
            effect: VERIFICATION,
            ..SWITCH
        },
    ],
    numbered: None,
};
