//! `[password_policy]`, and `password_policy` of a tenant's file

mod rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::rules::{ExpiryRules, PasswordRules};
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        governance::governed_settings::{GovernedProperty, set},
        text_form::AsText,
        values::{name::NotEmpty, web::SecureUrl},
    },
    domain::password::{BreachPolicy, JavaPattern},
};

const SCOPE_ORGANISATION: &str = "ORG_WIDE";
const SCOPE_APPLICATIONS: &str = "APP_WITH_ENFORCER";

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
    /// The message for a password that does not match. A `pattern` alone gets one that is derived from it.
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

impl PasswordPolicySection {
    #[must_use]
    pub fn validated(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Self {
        for (name, written, most) in [
            ("min_length", self.min_length, 1..=256),
            ("max_length", self.max_length, 1..=256),
            ("history", self.history, 0..=100),
            ("expiry_days", self.expiry_days, 0..=36_500),
            ("min_score", self.min_score, 0..=4),
        ] {
            scope.check_range(&key.name(name), written, most);
        }
        if let (Some(least), Some(most)) = (self.min_length, self.max_length)
            && most < least
        {
            let message = "no password is as long as min_length and as short as this";
            scope.mistake(&key.name("max_length"), message, "make it at least min_length");
        }
        let most = PasswordRules::default().max_length;
        if let (Some(least), None, false) = (self.min_length, self.max_length, scope.is_tenant_file())
            && least >= most
        {
            let message = if least == most {
                format!("min_length is the default max_length: only {most} characters would fit")
            } else {
                format!("min_length is more than the default max_length, {most}")
            };
            scope.mistake(&key.name("min_length"), message, "write max_length too");
        }
        if scope.is_tenant_file() && self.breached_url.is_some() {
            let message = "a tenant cannot choose the services that this server contacts";
            scope.mistake(&key.name("breached_url"), message, "set it in deployment.toml");
        }
        self
    }

    pub fn inherit_from(&self, below: &PasswordRules) -> PasswordRules {
        let mut rules = PasswordRules {
            enabled: self.enabled.unwrap_or(below.enabled),
            min_length: self.min_length.unwrap_or(below.min_length),
            max_length: self.max_length.unwrap_or(below.max_length),
            pattern: match &self.pattern {
                Some(AsText(pattern)) => Some(pattern.clone()),
                None => below.pattern.clone(),
            },
            // the message below describes the pattern below
            message: if self.pattern.is_some() { String::new() } else { below.message.clone() },
            history_enabled: self.history.map_or(below.history_enabled, |count| count > 0),
            history_count: self.history.filter(|count| *count > 0).unwrap_or(below.history_count),
            expiry: ExpiryRules {
                enabled: self.expiry_days.map_or(below.expiry.enabled, |days| days > 0),
                days: self.expiry_days.filter(|days| *days > 0).unwrap_or(below.expiry.days),
                ..below.expiry.clone()
            },
            common_list: self.common_list.unwrap_or(below.common_list),
            min_score: self.min_score.and_then(|score| score.try_into().ok()).unwrap_or(below.min_score),
            context_words: self.context_words.unwrap_or(below.context_words),
            words: match &self.words {
                Some(words) => words.iter().map(|AsText(word)| word.0.clone()).collect(),
                None => below.words.clone(),
            },
            breached_url: match &self.breached_url {
                Some(AsText(url)) => Some(url.0.as_str().into()),
                None => below.breached_url.clone(),
            },
            breached: BreachPolicy {
                max_occurrences: self.breached_tolerated.map_or(below.breached.max_occurrences, u64::from),
                required: self.breached_required.unwrap_or(below.breached.required),
            },
        };
        if let Some(AsText(message)) = &self.message {
            rules.set_message(&message.0);
        }
        rules
    }
}

impl From<&PasswordRules> for PasswordPolicySection {
    fn from(rules: &PasswordRules) -> Self {
        let fallback = PasswordRules::default();
        // 0 means off, but hides the number that applies once a tenant enables it
        let shown = |on: bool, number: u32, usual: u32| {
            if on { Some(number) } else { (number == usual).then_some(0) }
        };
        Self {
            enabled: Some(rules.enabled),
            min_length: Some(rules.min_length),
            max_length: Some(rules.max_length),
            pattern: rules.pattern.clone().map(AsText),
            message: Some(AsText(NotEmpty(rules.shown_message()))),
            history: shown(rules.history_enabled, rules.history_count, fallback.history_count),
            expiry_days: shown(rules.expiry.enabled, rules.expiry.days, fallback.expiry.days),
            common_list: Some(rules.common_list),
            min_score: Some(rules.min_score.into()),
            context_words: Some(rules.context_words),
            words: Some(NotEmpty::list(&rules.words)),
            breached_url: rules.breached_url.as_deref().map(|url| AsText(SecureUrl(url.to_owned()))),
            breached_required: Some(rules.breached.required),
            breached_tolerated: u32::try_from(rules.breached.max_occurrences).ok(),
        }
    }
}

/// WSO2's properties for these settings, besides the numbered rules of expiry.
pub const GOVERNED: &[GovernedProperty] = &[
    GovernedProperty {
        name: "passwordPolicy.enable",
        own_key: Some(("password_policy", "enabled")),
        set: |settings, value| set(&mut settings.password_rules.enabled, value),
        get: |rules| Some(rules.password_rules.enabled.to_string()),
    },
    GovernedProperty {
        name: "passwordPolicy.min.length",
        own_key: Some(("password_policy", "min_length")),
        set: |settings, value| set(&mut settings.password_rules.min_length, value),
        get: |rules| Some(rules.password_rules.min_length.to_string()),
    },
    GovernedProperty {
        name: "passwordPolicy.max.length",
        own_key: Some(("password_policy", "max_length")),
        set: |settings, value| set(&mut settings.password_rules.max_length, value),
        // of two places, so that the one cannot know the other
        get: |rules| Some(rules.password_rules.max_length.max(rules.password_rules.min_length).to_string()),
    },
    GovernedProperty {
        name: "passwordPolicy.pattern",
        own_key: Some(("password_policy", "pattern")),
        set: |settings, value| {
            let pattern = &mut settings.password_rules.pattern;
            // compiling takes longer than all the rest together
            if pattern.as_ref().is_none_or(|pattern| pattern.source() != value)
                && let Ok(compiled) = JavaPattern::compile(value)
            {
                *pattern = Some(compiled);
            }
        },
        get: |rules| rules.password_rules.pattern.as_ref().map(|pattern| pattern.source().to_owned()),
    },
    GovernedProperty {
        name: "passwordPolicy.errorMsg",
        own_key: Some(("password_policy", "message")),
        set: |settings, value| settings.password_rules.set_message(value),
        get: |rules| Some(rules.password_rules.shown_message()),
    },
    GovernedProperty {
        name: "passwordHistory.enable",
        own_key: Some(("password_policy", "history")),
        set: |settings, value| set(&mut settings.password_rules.history_enabled, value),
        get: |rules| Some(rules.password_rules.history_enabled.to_string()),
    },
    GovernedProperty {
        name: "passwordHistory.count",
        own_key: Some(("password_policy", "history")),
        set: |settings, value| set(&mut settings.password_rules.history_count, value),
        get: |rules| Some(rules.password_rules.history_count.to_string()),
    },
    GovernedProperty {
        name: "passwordExpiry.enablePasswordExpiry",
        own_key: Some(("password_policy", "expiry_days")),
        set: |settings, value| set(&mut settings.password_rules.expiry.enabled, value),
        get: |rules| Some(rules.password_rules.expiry.enabled.to_string()),
    },
    GovernedProperty {
        name: "passwordExpiry.passwordExpiryInDays",
        own_key: Some(("password_policy", "expiry_days")),
        set: |settings, value| set(&mut settings.password_rules.expiry.days, value),
        get: |rules| Some(rules.password_rules.expiry.days.to_string()),
    },
    GovernedProperty {
        name: "passwordExpiry.skipIfNoApplicableRules",
        own_key: None,
        set: |settings, value| set(&mut settings.password_rules.expiry.only_by_rule, value),
        get: |rules| Some(rules.password_rules.expiry.only_by_rule.to_string()),
    },
    GovernedProperty {
        name: "passwordExpiry.enforcementScope",
        own_key: None,
        set: |settings, value| {
            settings.password_rules.expiry.left_to_applications = value == SCOPE_APPLICATIONS;
        },
        get: |rules| {
            let is_left = rules.password_rules.expiry.left_to_applications;
            Some((if is_left { SCOPE_APPLICATIONS } else { SCOPE_ORGANISATION }).to_owned())
        },
    },
];
