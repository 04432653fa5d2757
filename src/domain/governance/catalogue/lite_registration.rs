//! Self-registration of accounts without a password.

use super::{
    CALLBACK, CODE_LENGTH, CODE_SWITCH, DEFAULT, LINK, LINK_MINUTES, SMS_FORMAT, SMS_MINUTES, SWITCH,
    USER_ONBOARDING, waits_for,
};
use crate::domain::governance::{Connector, Effect, Property};

const REGISTRATION: Effect = waits_for("lite registration");
const CAPTCHA: Effect = waits_for("CAPTCHA");
const MAIL: Effect = waits_for("mail");

pub(super) const CONNECTOR: Connector = Connector {
    name: "lite-user-sign-up",
    friendly_name: "Lite User Registration",
    category: USER_ONBOARDING,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "LiteRegistration.Enable",
            display_name: "Lite user registration",
            description: "Users are allowed to self register to the system without a password.",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "LiteRegistration.LockOnCreation",
            display_name: "Lock user account on creation",
            description: "The self-registered user account will be locked until e-mail verification.",
            default: "true",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "LiteRegistration.OTP.SendOTPInEmail",
            display_name: "Send OTP in e-mail",
            description: "The mail has a one-time password to type, instead of a link.",
            effect: REGISTRATION,
            ..SWITCH
        },
        Property {
            name: "LiteRegistration.OTP.UseUppercaseCharactersInOTP",
            display_name: "Include uppercase characters in OTP",
            description: "One-time passwords may have the letters A to Z. One of the three kinds of characters \
                          must be on.",
            effect: REGISTRATION,
            ..CODE_SWITCH
        },
        Property {
            name: "LiteRegistration.OTP.UseLowercaseCharactersInOTP",
            display_name: "Include lowercase characters in OTP",
            description: "One-time passwords may have the letters a to z.",
            effect: REGISTRATION,
            ..CODE_SWITCH
        },
        Property {
            name: "LiteRegistration.OTP.UseNumbersInOTP",
            display_name: "Include numbers in OTP",
            description: "One-time passwords may have the digits 0 to 9.",
            effect: REGISTRATION,
            ..CODE_SWITCH
        },
        Property {
            name: "LiteRegistration.OTP.OTPLength",
            display_name: "OTP length",
            description: "How many characters one-time passwords have.",
            effect: REGISTRATION,
            ..CODE_LENGTH
        },
        Property {
            name: "LiteRegistration.Notification.InternallyManage",
            display_name: "Manage notifications sending internally",
            description: "This property should be disabled if the client application handles notification \
                          sending: it then gets the code in the answer.",
            default: "true",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "LiteRegistration.ReCaptcha",
            display_name: "Prompt reCaptcha",
            description: "The reCaptcha verification will be prompted during self registration.",
            default: "true",
            effect: CAPTCHA,
            ..SWITCH
        },
        Property {
            name: "LiteRegistration.VerificationCode.ExpiryTime",
            display_name: "Lite user registration verification link expiry time",
            description: "Specify the expiry time in minutes for the verification link.",
            effect: REGISTRATION,
            ..LINK_MINUTES
        },
        Property {
            name: "LiteRegistration.VerificationCode.SMSOTP.ExpiryTime",
            display_name: "Lite user registration SMS OTP expiry time",
            description: "Specify the expiry time in minutes for the SMS OTP.",
            effect: REGISTRATION,
            ..SMS_MINUTES
        },
        Property {
            name: "LiteRegistration.SMSOTP.Regex",
            display_name: "Lite user registration SMS OTP regex",
            description: "Which characters one-time passwords by text message have, and how many: [allowed \
                          characters]{length}. Supported character ranges are a-z, A-Z, 0-9. Minimum OTP \
                          length is 4.",
            effect: REGISTRATION,
            ..SMS_FORMAT
        },
        Property {
            name: "LiteRegistration.CallbackRegex",
            display_name: "Lite user registration callback URL regex",
            description: "This regular expression pattern will be used to validate the callback URL. The whole \
                          URL has to match; blank lets only the portal's own origin pass, and `.*` sends \
                          people wherever a link says.",
            effect: REGISTRATION,
            ..CALLBACK
        },
        Property {
            // WSO2's list of properties gives this one the name of self-registration's link: a slip, and no alias
            name: "_url_listPurposeLiteUserSignUp",
            display_name: "Manage Lite-Sign-Up purposes",
            description: "Where a console manages what people consent to when they register without a \
                          password.",
            default: "/carbon/consent/list-purposes.jsp?purposeGroup=LITE-SIGNUP&purposeGroupType=SYSTEM",
            ..LINK
        },
        Property {
            name: "LiteRegistration.ResendVerificationOnUserExistence",
            display_name: "Resend confirmation email if the lite user exists",
            description: "Who registers again before confirming gets another mail.",
            effect: MAIL,
            ..SWITCH
        },
    ],
    numbered: None,
};
