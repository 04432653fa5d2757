//! Invitation: the user of an account created by an administrator sets the password.

use super::{CODE_LENGTH, CODE_SWITCH, DEFAULT, LINK, LINK_MINUTES, SWITCH, USER_ONBOARDING, waits_for};
use crate::domain::governance::{Connector, Effect, Kind, Property};

const INVITATION: Effect = waits_for("invitation of people by an administrator");
const MAIL: Effect = waits_for("mail");

pub(super) const CONNECTOR: Connector = Connector {
    name: "user-email-verification",
    friendly_name: "Ask Password",
    category: USER_ONBOARDING,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "EmailVerification.Enable",
            display_name: "Enable user email verification",
            description: "A verification notification will be triggered during user creation.",
            effect: INVITATION,
            ..SWITCH
        },
        Property {
            name: "EmailVerification.OTP.SendOTPInEmail",
            display_name: "Send OTP in e-mail",
            description: "The mail has a one-time password to type, instead of a link.",
            effect: INVITATION,
            ..SWITCH
        },
        Property {
            name: "EmailVerification.OTP",
            display_name: "Send OTP in e-mail",
            description: "Another name for sending a one-time password by mail; either of the two is enough.",
            effect: INVITATION,
            ..SWITCH
        },
        Property {
            name: "EmailVerification.AskPassword.EmailOTP",
            display_name: "Send email OTP to setup the password",
            description: "The password is set with a one-time password from a mail. Not together with one by \
                          text message.",
            effect: INVITATION,
            ..SWITCH
        },
        Property {
            name: "EmailVerification.AskPassword.SMSOTP",
            display_name: "Send SMS OTP to setup the password",
            description: "The password is set with a one-time password from a text message. Not together with \
                          one by mail.",
            effect: INVITATION,
            ..SWITCH
        },
        Property {
            name: "EmailVerification.OTP.UseUppercaseCharactersInOTP",
            display_name: "Include uppercase characters in OTP",
            description: "One-time passwords may have the letters A to Z. One of the three kinds of characters \
                          must be on.",
            effect: INVITATION,
            ..CODE_SWITCH
        },
        Property {
            name: "EmailVerification.OTP.UseLowercaseCharactersInOTP",
            display_name: "Include lowercase characters in OTP",
            description: "One-time passwords may have the letters a to z.",
            effect: INVITATION,
            ..CODE_SWITCH
        },
        Property {
            name: "EmailVerification.OTP.UseNumbersInOTP",
            display_name: "Include numbers in OTP",
            description: "One-time passwords may have the digits 0 to 9.",
            effect: INVITATION,
            ..CODE_SWITCH
        },
        Property {
            name: "EmailVerification.OTP.OTPLength",
            display_name: "OTP length",
            description: "How many characters one-time passwords have.",
            effect: INVITATION,
            ..CODE_LENGTH
        },
        Property {
            name: "EmailVerification.LockOnCreation",
            display_name: "Enable account lock on creation",
            description: "The user account will be locked during user creation.",
            default: "true",
            effect: INVITATION,
            ..SWITCH
        },
        Property {
            name: "EmailVerification.Notification.InternallyManage",
            display_name: "Manage notifications sending internally",
            description: "Disable if the client application handles notification sending.",
            default: "true",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "EmailVerification.AskPassword.AccountActivation",
            display_name: "Send account activation email",
            description: "Send a mail once the password is set and the account can be used.",
            meta_type: None,
            default: "true",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "EmailVerification.ExpiryTime",
            display_name: "Email verification code expiry time",
            description: "Set the time span that the verification e-mail would be valid, in minutes. (For \
                          infinite validity period, set -1)",
            effect: INVITATION,
            ..LINK_MINUTES
        },
        Property {
            name: "EmailVerification.AskPassword.ExpiryTime",
            display_name: "Ask password code expiry time",
            description: "Set the time span that the ask password e-mail would be valid, in minutes. (For \
                          infinite validity period, set -1)",
            effect: INVITATION,
            ..LINK_MINUTES
        },
        Property {
            name: "EmailVerification.AskPassword.PasswordGenerator",
            display_name: "Temporary password generation extension class",
            description: "Temporary password generation extension point in ask password feature. Doorward \
                          loads no classes: an account has no password before its owner chooses one.",
            meta_type: Some("string"),
            kind: Kind::Text { most: 255, blank_is_default: true },
            default: "org.wso2.carbon.user.mgt.common.DefaultPasswordGenerator",
            effect: INVITATION,
            ..SWITCH
        },
        Property {
            name: "_url_listPurposeJITProvisioning",
            display_name: "Manage JIT provisioning purposes",
            description: "Click here to manage just in time provisioning purposes.",
            default: "/carbon/consent/list-purposes.jsp?purposeGroup=JIT&purposeGroupType=SYSTEM",
            ..LINK
        },
    ],
    numbered: None,
};
