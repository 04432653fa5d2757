//! Recovery of passwords and user names.

use super::{
    ACCOUNT_MANAGEMENT, CALLBACK, CODE_LENGTH, CODE_SWITCH, DEFAULT, LINK_MINUTES, NUMBER, SMS_FORMAT,
    SMS_MINUTES, SWITCH, waits_for,
};
use crate::domain::governance::{Connector, Effect, Kind, Property};

const PASSWORD: Effect = waits_for("password recovery");
const USERNAME: Effect = waits_for("user name recovery");
const QUESTIONS: Effect = waits_for("security questions");
const CAPTCHA: Effect = waits_for("CAPTCHA");
const MAIL: Effect = waits_for("mail");

pub(super) const CONNECTOR: Connector = Connector {
    name: "account-recovery",
    friendly_name: "Account Recovery",
    category: ACCOUNT_MANAGEMENT,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "Recovery.Notification.Password.Enable",
            display_name: "Notification based password recovery",
            description: "This enables password recovery via email notifications. Switched on with no word about the \
                          channels, it switches on link and SMS; switched off, it switches them all off; a channel \
                          switched on or off takes it along.",
            effect: PASSWORD,
            ..SWITCH
        },
        Property {
            name: "Recovery.Notification.Password.emailLink.Enable",
            display_name: "Notification based password recovery via an email",
            description: "A link by mail. Not together with an OTP by mail.",
            effect: PASSWORD,
            ..SWITCH
        },
        Property {
            name: "Recovery.Notification.Password.smsOtp.Enable",
            display_name: "Notification based password recovery using SMS OTP",
            description: "A one-time password by text message.",
            effect: PASSWORD,
            ..SWITCH
        },
        Property {
            name: "Recovery.Notification.Password.OTP.SendOTPInEmail",
            display_name: "Send OTP in e-mail",
            description: "A one-time password by mail. Not together with a link by mail.",
            effect: PASSWORD,
            ..SWITCH
        },
        Property {
            name: "Recovery.Notification.Password.OTP.UseUppercaseCharactersInOTP",
            display_name: "Include uppercase characters in OTP",
            description: "One-time passwords may have the letters A to Z. One of the three kinds of characters must be \
                          on.",
            effect: PASSWORD,
            ..CODE_SWITCH
        },
        Property {
            name: "Recovery.Notification.Password.OTP.UseLowercaseCharactersInOTP",
            display_name: "Include lowercase characters in OTP",
            description: "One-time passwords may have the letters a to z.",
            effect: PASSWORD,
            ..CODE_SWITCH
        },
        Property {
            name: "Recovery.Notification.Password.OTP.UseNumbersInOTP",
            display_name: "Include numbers in OTP",
            description: "One-time passwords may have the digits 0 to 9.",
            effect: PASSWORD,
            ..CODE_SWITCH
        },
        Property {
            name: "Recovery.Notification.Password.OTP.OTPLength",
            display_name: "OTP length",
            description: "How many characters one-time passwords have.",
            effect: PASSWORD,
            ..CODE_LENGTH
        },
        Property {
            name: "Recovery.Notification.Password.MaxFailedAttempts",
            display_name: "Max failed attempts for password recovery",
            description: "After so many wrong codes a recovery has to be started again.",
            kind: Kind::Integer { min: 1, max: 100, never: false },
            unit: Some("attempts"),
            default: "3",
            effect: PASSWORD,
            ..NUMBER
        },
        Property {
            name: "Recovery.Notification.Password.MaxResendAttempts",
            display_name: "Max resend attempts for password recovery",
            description: "So many times a code can be asked for again in one recovery.",
            kind: Kind::Integer { min: 0, max: 100, never: false },
            unit: Some("attempts"),
            default: "5",
            effect: PASSWORD,
            ..NUMBER
        },
        Property {
            name: "Recovery.ReCaptcha.Password.Enable",
            display_name: "Enable reCaptcha for password recovery",
            description: "reCaptcha is prompted during password recovery via email notifications.",
            effect: CAPTCHA,
            ..SWITCH
        },
        Property {
            name: "Recovery.Question.Password.Enable",
            display_name: "Security question based password recovery",
            description: "This enables password recovery via answering security questions.",
            effect: QUESTIONS,
            ..SWITCH
        },
        Property {
            name: "Recovery.Question.Password.MinAnswers",
            display_name: "Number of questions required for password recovery",
            description: "This defines the number of security questions that are required to be answered.",
            kind: Kind::Integer { min: 1, max: 20, never: false },
            unit: Some("questions"),
            default: "2",
            effect: QUESTIONS,
            ..NUMBER
        },
        Property {
            // WSO2's list of properties gives this one the name of the reCaptcha switch below: a slip, and no alias
            name: "Recovery.Question.Answer.Regex",
            display_name: "Security question answer regex",
            description: "The regular expression pattern for answers provided for security questions. The whole answer \
                          has to match.",
            meta_type: Some("string"),
            kind: Kind::AnswerPattern,
            default: ".*",
            effect: QUESTIONS,
            ..SWITCH
        },
        Property {
            name: "Recovery.Question.Answer.Uniqueness",
            aliases: &["Recovery.Question.Answer.Uniquenes"],
            display_name: "Enforce security question answer uniqueness",
            description: "This enforces the uniqueness of the answers provided for security questions.",
            effect: QUESTIONS,
            ..SWITCH
        },
        Property {
            name: "Recovery.Question.Password.ReCaptcha.Enable",
            display_name: "Enable reCaptcha for security questions based password recovery",
            description: "Prompt reCaptcha for security question-based password recovery.",
            default: "true",
            effect: CAPTCHA,
            ..SWITCH
        },
        Property {
            name: "Recovery.Question.Password.ReCaptcha.MaxFailedAttempts",
            display_name: "Max failed attempts for reCaptcha",
            description: "The reCaptcha will be prompted only after it exceeds this number of failed attempts.",
            kind: Kind::Integer { min: 0, max: 100, never: false },
            unit: Some("attempts"),
            default: "2",
            effect: CAPTCHA,
            ..NUMBER
        },
        Property {
            name: "Recovery.Notification.Username.Enable",
            display_name: "Username recovery",
            description: "This enables the user to recover the account if the user has forgotten the username. Switched \
                          on with no word about the channels, it switches on both; switched off, both off; a channel \
                          switched on or off takes it along.",
            effect: USERNAME,
            ..SWITCH
        },
        Property {
            name: "Recovery.Notification.Username.Email.Enable",
            display_name: "Notification based username recovery via EMAIL",
            description: "The user name by mail.",
            effect: USERNAME,
            ..SWITCH
        },
        Property {
            name: "Recovery.Notification.Username.SMS.Enable",
            display_name: "Notification based username recovery via SMS",
            description: "The user name by text message.",
            effect: USERNAME,
            ..SWITCH
        },
        Property {
            name: "Recovery.ReCaptcha.Username.Enable",
            display_name: "Enable reCaptcha for username recovery",
            description: "reCaptcha is prompted during username recovery.",
            effect: CAPTCHA,
            ..SWITCH
        },
        Property {
            name: "Recovery.Notification.InternallyManage",
            display_name: "Manage notifications sending internally",
            description: "This property should be disabled if the client application handles notification sending: it \
                          then gets the code in the answer.",
            default: "true",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "Recovery.NotifySuccess",
            display_name: "Notify when recovery success",
            description: "Upon a successful password reset, a success notification is sent to the user.",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "Recovery.Question.Password.NotifyStart",
            display_name: "Notify when security questions based recovery starts",
            description: "A notification will be sent to the user that the security question-based recovery has \
                          started.",
            effect: MAIL,
            ..SWITCH
        },
        Property {
            name: "Recovery.ExpiryTime",
            display_name: "Recovery link expiry time in minutes",
            description: "The expiration time for the recovery link.",
            effect: PASSWORD,
            ..LINK_MINUTES
        },
        Property {
            name: "Recovery.Notification.Password.ExpiryTime.smsOtp",
            display_name: "SMS OTP expiry time",
            description: "Expiration time of the SMS OTP code for password recovery.",
            effect: PASSWORD,
            ..SMS_MINUTES
        },
        Property {
            name: "Recovery.Notification.Password.smsOtp.Regex",
            display_name: "SMS OTP regex",
            description: "The regular expression pattern for SMS OTP in format [allowed characters]{length}. Supported \
                          character ranges are a-z, A-Z, 0-9. Minimum OTP length is 4.",
            effect: PASSWORD,
            ..SMS_FORMAT
        },
        Property {
            name: "Recovery.Question.Password.Forced.Enable",
            display_name: "Enable forced security questions",
            description: "Force users to provide answers to security questions during sign-in.",
            effect: QUESTIONS,
            ..SWITCH
        },
        Property {
            name: "Recovery.Question.MinQuestionsToAnswer",
            display_name: "Minimum number of forced security questions to be answered",
            description: "Force users to provide answers to more security questions during sign-in if the number of \
                          questions answered is lesser than this value.",
            kind: Kind::Integer { min: 1, max: 20, never: false },
            unit: Some("questions"),
            default: "1",
            effect: QUESTIONS,
            ..NUMBER
        },
        Property {
            name: "Recovery.CallbackRegex",
            display_name: "Recovery callback URL regex",
            description: "This regular expression pattern will be used to validate the recovery callback URL. The whole \
                          URL has to match; blank lets only the portal's own origin pass, and `.*` sends people \
                          wherever a link says.",
            effect: PASSWORD,
            ..CALLBACK
        },
        Property {
            name: "Recovery.AutoLogin.Enable",
            display_name: "Enable Auto Login After Password Reset",
            description: "User will be logged in automatically after completing the Password Reset wizard.",
            effect: PASSWORD,
            ..SWITCH
        },
    ],
    numbered: None,
};
