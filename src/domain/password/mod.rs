//! The password policy.
//!
//! Lengths, user name, pattern, history and expiry are WSO2's, with its messages and codes; the common-password list,
//! the strength estimate, context words and the breach list follow NIST SP 800-63B and OWASP. Each can be disabled.
//! Rules that need a hash or a network call are evaluated here and performed by the caller.

pub mod breached;
mod context;
mod java;
pub mod lifetime;
mod pattern;
mod pattern_cost;
mod pattern_message;
mod requirements;
mod strength;
mod violation;

use unicode_normalization::{UnicodeNormalization, is_nfc};

pub use breached::BreachPolicy;
pub use context::PasswordContext;
pub use lifetime::PasswordExpiry;
#[cfg(test)]
pub use pattern::COMPILED;
#[cfg(any(test, feature = "fuzzing"))]
pub use pattern::{InvalidJavaPattern, MAX_PATTERN_CHARS};
pub use pattern::{JavaPattern, WSO2_PATTERN};
pub use violation::{PasswordRule, Violation};

/// Upper limit for every policy: longer passwords are never hashed or estimated.
pub const MAX_CHARACTERS: u32 = 256;

/// WSO2's message if its own pattern does not match.
pub const WSO2_MESSAGE: &str = "Password pattern policy violated. Password should contain a digit[0-9], a lower case \
                                letter[a-z], an upper case letter[A-Z], one of !@#$%&* characters";

/// The default accepts every password except the empty one, as in WSO2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PasswordPolicy {
    /// In characters (code points after NFC).
    pub min_length: u32,
    /// Zero: [`MAX_CHARACTERS`].
    pub max_length: u32,
    /// Whether the user name itself is refused.
    pub not_username: bool,
    /// The pattern that the whole password must match.
    pub pattern: Option<JavaPattern>,
    /// The message if it does not match. Blank: derived from the pattern.
    pub message: String,
    /// The number of recent passwords, including the current one, that cannot be reused. Zero: no history.
    pub history: u32,
    pub expiry: PasswordExpiry,
    /// Whether common passwords are rejected.
    pub not_common: bool,
    /// Minimum zxcvbn score, from 0 (no check) to 4.
    pub min_score: u8,
    /// Whether passwords with the user's names, the e-mail address or the tenant are rejected.
    pub no_context_words: bool,
    /// Additional context words, such as the name of the product or the company.
    pub words: Vec<String>,
    /// The check against the breach list.
    pub breached: Option<BreachPolicy>,
}

impl PasswordPolicy {
    /// WSO2's defaults if `passwordPolicy.enable` is on.
    pub fn wso2() -> Self {
        Self {
            min_length: 6,
            max_length: 12,
            not_username: true,
            pattern: Some(JavaPattern::wso2()),
            ..Self::default()
        }
    }

    /// All violated rules, in WSO2's order (length, user name, pattern), then Doorward's. The strength estimate takes
    /// a millisecond, and a hundred for a hostile password: do not call this on a thread that serves requests.
    pub fn violations(&self, password: &str, about: &PasswordContext<'_>) -> Vec<Violation> {
        let most = self.max_characters();
        // Composing makes at most three code points of four bytes into one.
        if password.len() > 12 * MAX_CHARACTERS as usize {
            return vec![Violation::Broken(PasswordRule::MaxLength(most))];
        }
        let password = normalized(password);
        let length = u32::try_from(password.chars().count()).unwrap_or(u32::MAX);
        if length > MAX_CHARACTERS {
            return vec![Violation::Broken(PasswordRule::MaxLength(most))];
        }
        let mut broken = Vec::new();
        let mut require = |is_met: bool, rule: PasswordRule| {
            if !is_met {
                broken.push(Violation::Broken(rule));
            }
        };
        require(length >= self.min_characters(), PasswordRule::MinLength(self.min_characters()));
        require(length <= most, PasswordRule::MaxLength(most));
        require(!self.not_username || !about.is_username(&password), PasswordRule::NotUsername);
        match self.pattern.as_ref().map(|pattern| pattern.matches(&password)) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => broken.push(Violation::Broken(PasswordRule::Pattern(self.pattern_message()))),
            // a pattern that cannot be evaluated rejects every password
            Some(Err(_)) => broken.push(Violation::Misconfigured),
        }
        let words = about.words(&self.words);
        let mut require = |is_met: bool, rule: PasswordRule| {
            if !is_met {
                broken.push(Violation::Broken(rule));
            }
        };
        require(!self.not_common || !strength::is_common(&password), PasswordRule::NotCommon);
        require(
            !self.no_context_words || !context::contains_any(&password, &words),
            PasswordRule::NoContextWord,
        );
        let score = self.min_score.min(4);
        require(score == 0 || strength::score(&password, &words) >= score, PasswordRule::MinScore(score));
        broken
    }

    fn min_characters(&self) -> u32 {
        self.min_length.clamp(1, MAX_CHARACTERS)
    }

    fn max_characters(&self) -> u32 {
        if self.max_length == 0 { MAX_CHARACTERS } else { self.max_length.min(MAX_CHARACTERS) }
    }

    fn pattern_message(&self) -> String {
        match &self.pattern {
            Some(pattern) if self.message.trim().is_empty() => default_message(pattern),
            _ => self.message.clone(),
        }
    }
}

/// WSO2's message for WSO2's pattern; for another pattern one that is derived from it.
pub fn default_message(pattern: &JavaPattern) -> String {
    if *pattern == JavaPattern::wso2() {
        WSO2_MESSAGE.to_owned()
    } else {
        pattern_message::message(pattern.source())
    }
}

/// In NFC, because keyboards produce different forms.
fn normalized(password: &str) -> String {
    if is_nfc(password) { password.to_owned() } else { password.nfc().collect() }
}

#[cfg(test)]
mod tests;
