//! Rules of a password policy, and their violations.

use std::fmt;

/// One rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordRule {
    MinLength(u32),
    MaxLength(u32),
    NotUsername,
    /// With the configured message.
    Pattern(String),
    NotCommon,
    NoContextWord,
    MinScore(u8),
    NotBreached,
    NotUsedBefore(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    Broken(PasswordRule),
    /// The breach lookup failed, and the policy requires it.
    Unchecked,
    /// The policy cannot be evaluated: every password is rejected until the operator corrects it.
    Misconfigured,
}

impl PasswordRule {
    /// The message key for translations.
    pub const fn id(&self) -> &'static str {
        match self {
            Self::MinLength(_) => "min-length",
            Self::MaxLength(_) => "max-length",
            Self::NotUsername => "not-username",
            Self::Pattern(_) => "pattern",
            Self::NotCommon => "not-common",
            Self::NoContextWord => "no-context-word",
            Self::MinScore(_) => "min-score",
            Self::NotBreached => "not-breached",
            Self::NotUsedBefore(_) => "not-used-before",
        }
    }

    /// The parameter of the rule, for translations.
    pub const fn number(&self) -> Option<u32> {
        match self {
            Self::MinLength(n) | Self::MaxLength(n) | Self::NotUsedBefore(n) => Some(*n),
            Self::MinScore(n) => Some(*n as u32),
            Self::NotUsername
            | Self::Pattern(_)
            | Self::NotCommon
            | Self::NoContextWord
            | Self::NotBreached => None,
        }
    }
}

/// The rule as a list item.
impl fmt::Display for PasswordRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinLength(1) => write!(f, "At least 1 character"),
            Self::MinLength(n) => write!(f, "At least {n} characters"),
            Self::MaxLength(n) => write!(f, "At most {n} characters"),
            Self::NotUsername => f.write_str("Not your user name"),
            Self::Pattern(message) => f.write_str(message),
            Self::NotCommon => f.write_str("Not one of the passwords that everybody tries first"),
            Self::NoContextWord => {
                f.write_str("Without your name, your e-mail address or the name of this portal")
            }
            Self::MinScore(_) => f.write_str("Not easy to guess"),
            Self::NotBreached => f.write_str("Not known from a data breach"),
            Self::NotUsedBefore(1) => f.write_str("Not the password in use"),
            Self::NotUsedBefore(n) => write!(f, "None of your last {n} passwords"),
        }
    }
}

impl Violation {
    pub const fn rule(&self) -> Option<&PasswordRule> {
        match self {
            Self::Broken(rule) => Some(rule),
            Self::Unchecked | Self::Misconfigured => None,
        }
    }
}

/// WSO2's message, if there is one.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(PasswordRule::MinLength(n)) => write!(f, "Password at least should have {n} characters"),
            Self::Broken(PasswordRule::MaxLength(n)) => write!(f, "Password cannot have more than {n} characters"),
            Self::Broken(PasswordRule::NotUsername) => f.write_str("Cannot use the username as the password"),
            Self::Broken(PasswordRule::Pattern(message)) => f.write_str(message),
            Self::Broken(PasswordRule::NotUsedBefore(_)) => f.write_str(
                "This password has been used in recent history. Please choose a different password",
            ),
            Self::Broken(PasswordRule::NotCommon) => {
                f.write_str("This password is one of those that everybody tries first. Please choose a different password")
            }
            Self::Broken(PasswordRule::NoContextWord) => f.write_str(
                "The password contains your name, your e-mail address or the name of this portal. Please choose a \
                 different password",
            ),
            Self::Broken(PasswordRule::MinScore(_)) => {
                f.write_str("This password is easy to guess. Please add another word or two")
            }
            Self::Broken(PasswordRule::NotBreached) => {
                f.write_str("This password is known from a data breach. Please choose a different password")
            }
            Self::Unchecked => f.write_str("The password cannot be checked right now. Please try again in a minute"),
            Self::Misconfigured => {
                f.write_str("The password policy of this portal is misconfigured. Please tell its operator")
            }
        }
    }
}
