//! `[password_policy]`, and `password_policy` of a tenant's file

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{name::NotEmpty, web::SecureUrl},
};
use crate::domain::password::JavaPattern;

/// Requirements for new passwords.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct PasswordPolicySection {
    /// Hold new passwords to `min_length`, `max_length` and `pattern`, and keep them different from the user name. The
    /// other keys of this table count on their own.
    #[schemars(extend("default" = false, "x-source" = "WSO2 `passwordPolicy.enable`"))]
    pub enabled: Option<bool>,
    /// Characters at least, 1 to 256.
    #[schemars(extend("default" = 6, "x-source" = "WSO2 `passwordPolicy.min.length`"))]
    pub min_length: Option<u32>,
    /// Characters at most, 1 to 256; where it is less than the `min_length` of another file, that counts.
    #[schemars(extend("default" = 12, "x-source" = "WSO2 `passwordPolicy.max.length`"))]
    pub max_length: Option<u32>,
    /// The pattern that the whole password must match, in Java's syntax (look-ahead too); `.*` lets everything pass.
    #[schemars(extend(
        "default" = r"^((?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#$%&*])).{0,100}$",
        "x-source" = "WSO2 `passwordPolicy.pattern`"
    ))]
    pub pattern: Option<AsText<JavaPattern>>,
    /// The message for a password that does not match.
    #[schemars(extend(
        "default" = "Password pattern policy violated. Password should contain a digit[0-9], a lower case letter[a-z], an upper case letter[A-Z], one of !@#$%&* characters",
        "x-source" = "WSO2 `passwordPolicy.errorMsg`"
    ))]
    pub message: Option<AsText<NotEmpty>>,
    /// Refuse the last passwords of an account: how many, the one in use included; at most 100; 0 refuses none.
    #[schemars(extend("default" = 0,
        "x-source" = "WSO2 `passwordHistory.enable`, `passwordHistory.count` (5 where it is on)"))]
    pub history: Option<u32>,
    /// A password older than this many days must be changed at sign-in; at most 36500; 0: never.
    #[schemars(extend("default" = 0,
        "x-source" = "WSO2 `passwordExpiry.enablePasswordExpiry`, `passwordExpiry.passwordExpiryInDays` (30 where it is on)"))]
    pub expiry_days: Option<u32>,
    /// Refuse common passwords.
    #[schemars(extend("default" = false, "x-source" = "OWASP ASVS 5.0 §6.2.4"))]
    pub common_list: Option<bool>,
    /// How hard a password must be to guess, 0 (any) to 4 (very), as zxcvbn estimates it.
    #[schemars(extend("default" = 0, "x-source" = "zxcvbn"))]
    pub min_score: Option<u32>,
    /// Refuse passwords with the user's name, e-mail address or tenant in them.
    #[schemars(extend("default" = false, "x-source" = "OWASP ASVS 5.0 §6.2.11"))]
    pub context_words: Option<bool>,
    /// More words of that kind, such as the company's name; they count with `context_words`.
    #[schemars(extend("default" = [], "x-source" = "OWASP ASVS 5.0 §6.2.11"))]
    pub words: Option<Vec<AsText<NotEmpty>>>,
    /// Refuse passwords known from breaches: where to ask, in the form of Have I Been Pwned's range API. Only the first
    /// five digits of a SHA-1 are sent. Not in a tenant's file.
    #[schemars(extend("x-default" = "none", "x-source" = "OWASP ASVS 5.0 §6.2.12"))]
    pub breached_url: Option<AsText<SecureUrl>>,
    /// If the service does not answer: accept no new password, instead of an unchecked one.
    #[schemars(extend("default" = false))]
    pub breached_required: Option<bool>,
    /// A password seen in breaches this often still passes.
    #[schemars(extend("default" = 0))]
    pub breached_tolerated: Option<u32>,
}
