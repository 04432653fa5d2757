//! Self-registration.

use super::{
    CALLBACK, CODE_LENGTH, CODE_SWITCH, DEFAULT, LINK, LINK_MINUTES, SMS_FORMAT, SMS_MINUTES, SWITCH,
    USER_ONBOARDING, waits_for,
};
use crate::domain::governance::{Connector, Effect, Kind, Property};

const REGISTRATION: Effect = waits_for("self-registration");
const CAPTCHA: Effect = waits_for("CAPTCHA");
const MAIL: Effect = waits_for("mail");

pub(super) const CONNECTOR: Connector = Connector {
    name: "self-sign-up",
    friendly_name: "Self Registration",
    category: USER_ONBOARDING,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "SelfRegistration.Enable",
            display_name: "User self registration",
            description: "Users are allowed to self register to the system.",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.LockOnCreation",
            display_name: "Lock user account on creation",
            description: "Lock self-registered user account until e-mail verification.",
            default: "true",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.OTP.SendOTPInEmail",
            display_name: "Send OTP in e-mail",
            description: "The mail has a one-time password to type, instead of a link.",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.EmailOTP.Enable",
            display_name: "Enable email OTP",
            description: "A newer name for sending a one-time password by mail; either of the two is enough.",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.OTP.UseUppercaseCharactersInOTP",
            display_name: "Include uppercase characters in OTP",
            description: "One-time passwords may have the letters A to Z. One of the three kinds of characters \
                          must be on.",
            effect: REGISTRATION,
            ..CODE_SWITCH
        },
        Property {
            name: "SelfRegistration.OTP.UseLowercaseCharactersInOTP",
            display_name: "Include lowercase characters in OTP",
            description: "One-time passwords may have the letters a to z.",
            effect: REGISTRATION,
            ..CODE_SWITCH
        },
        Property {
            name: "SelfRegistration.OTP.UseNumbersInOTP",
            display_name: "Include numbers in OTP",
            description: "One-time passwords may have the digits 0 to 9.",
            effect: REGISTRATION,
            ..CODE_SWITCH
        },
        Property {
            name: "SelfRegistration.OTP.OTPLength",
            display_name: "OTP length",
            description: "How many characters one-time passwords have.",
            effect: REGISTRATION,
            ..CODE_LENGTH
        },
        Property {
            name: "SelfRegistration.SendConfirmationOnCreation",
            display_name: "Enable Account Confirmation On Creation",
            description: "Send the mail that confirms an account also where the account is not locked until \
                          then.",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.ShowUsernameUnavailability",
            display_name: "Show username unavailability",
            description: "Report at once that a user name is taken. Every client can then find out which names have an \
                          account.",
            default: "true",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.Notification.InternallyManage",
            display_name: "Manage notifications sending internally",
            description: "This property should be disabled if the client application handles notification \
                          sending: it then gets the code in the answer.",
            default: "true",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.ReCaptcha",
            display_name: "Prompt reCaptcha",
            description: "This denotes whether reCaptcha verification is required during self registration.",
            default: "true",
            effect: CAPTCHA,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.VerificationCode.ExpiryTime",
            display_name: "User self registration verification link expiry time",
            description: "This denotes the expiry time in minutes for the verification link.",
            effect: REGISTRATION,
            ..LINK_MINUTES
        },
        Property {
            name: "SelfRegistration.VerificationCode.SMSOTP.ExpiryTime",
            display_name: "User self registration SMS OTP expiry time",
            description: "This denotes the expiry time in minutes for the SMS OTP.",
            effect: REGISTRATION,
            ..SMS_MINUTES
        },
        Property {
            name: "SelfRegistration.SMSOTP.Regex",
            display_name: "User self registration SMS OTP regex",
            description: "Which characters one-time passwords by text message have, and how many: [allowed \
                          characters]{length}. Supported character ranges are a-z, A-Z, 0-9. Minimum OTP \
                          length is 4.",
            effect: REGISTRATION,
            ..SMS_FORMAT
        },
        Property {
            name: "SelfRegistration.CallbackRegex",
            display_name: "User self registration callback URL regex",
            description: "This regular expression will be used to validate the callback URL. The whole URL has \
                          to match; blank lets only the portal's own origin pass, and `.*` sends people \
                          wherever a link says.",
            effect: REGISTRATION,
            ..CALLBACK
        },
        Property {
            name: "_url_listPurposeSelfSignUp",
            display_name: "Manage Self-Sign-Up purposes",
            description: "Where a console manages what people consent to when they register.",
            default: "/carbon/consent/list-purposes.jsp?purposeGroup=SELF-SIGNUP&purposeGroupType=SYSTEM",
            ..LINK
        },
        Property {
            name: "SelfRegistration.NotifyAccountConfirmation",
            display_name: "Send sign up confirmation email",
            description: "This enable sending notification for self signup confirmation.",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.ResendConfirmationReCaptcha",
            display_name: "Prompt reCaptcha on re-send confirmation",
            description: "This prompts reCaptcha verification for resend confirmation.",
            effect: CAPTCHA,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.AutoLogin.Enable",
            display_name: "Enable Auto Login After Account Confirmation",
            description: "User will be logged in automatically after the account confirmation.",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.AutoLogin.AliasName",
            display_name: "Alias of the key used to sign to cookie",
            description: "This is the alias of the key used to sign to cookie. The public key has to be \
                          imported to the keystore.",
            meta_type: Some("string"),
            kind: Kind::Text { most: 255, blank_is_default: true },
            default: "wso2carbon",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "SelfRegistration.EnableDynamicPortal",
            display_name: "Enable dynamic registration portal",
            description: "Show a registration page that is put together from the tenant's own steps.",
            effect: REGISTRATION,
            ..SWITCH
        },
    ],
    numbered: None,
};
