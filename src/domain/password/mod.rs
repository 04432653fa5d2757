//! Which passwords are good enough.
//!
//! Lengths, user name, pattern, history and expiry are WSO2's, with its sentences and codes; the common-password list,
//! the strength estimate, context words and the list of breached passwords are what NIST SP 800-63B and OWASP ask for.
//! Each can be switched off. What costs a hash or a network call is judged here and done elsewhere.

pub mod breached;
mod context;
mod effort;
mod java;
pub mod lifetime;
mod pattern;
mod requirements;
mod strength;
mod violation;

use unicode_normalization::{UnicodeNormalization, is_nfc};

pub use breached::Breached;
pub use context::About;
pub use lifetime::Expiry;
#[cfg(test)]
pub use pattern::COMPILED;
pub use pattern::{BadPattern, LONGEST_PATTERN, Pattern, WSO2_PATTERN};
pub use violation::{Rule, Violation};

/// No password is longer, whatever a policy says: nothing costly is done to more.
pub const MOST_CHARACTERS: u32 = 256;

/// What WSO2 says when its own pattern does not match.
pub const WSO2_MESSAGE: &str = "Password pattern policy violated. Password should contain a digit[0-9], a lower case \
                                letter[a-z], an upper case letter[A-Z], one of !@#$%&* characters";

/// Asks for nothing unless told to, as WSO2 does; only the empty password is never one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PasswordPolicy {
    /// In characters (code points after NFC).
    pub min_length: u32,
    /// Zero: [`MOST_CHARACTERS`].
    pub max_length: u32,
    /// Whether the user name itself is refused.
    pub not_username: bool,
    /// What the whole password has to match.
    pub pattern: Option<Pattern>,
    /// What is said when it does not. Empty: [`WSO2_MESSAGE`].
    pub message: String,
    /// This many passwords, the one in use among them, are not taken again. Zero: all are.
    pub history: u32,
    pub expiry: Expiry,
    /// Whether the passwords everybody tries first are refused.
    pub not_common: bool,
    /// What zxcvbn has to say at least, from 0 (nothing is refused) to 4.
    pub min_score: u8,
    /// Whether a password may contain the user's names, the e-mail address, the tenant.
    pub no_context_words: bool,
    /// More words of that kind: the name of the product, of the company.
    pub words: Vec<String>,
    /// What a list of breached passwords has to say.
    pub breached: Option<Breached>,
}

impl PasswordPolicy {
    /// What WSO2 asks for once `passwordPolicy.enable` is on.
    pub fn wso2() -> Self {
        Self {
            min_length: 6,
            max_length: 12,
            not_username: true,
            pattern: Some(Pattern::wso2()),
            message: WSO2_MESSAGE.to_owned(),
            ..Self::default()
        }
    }

    /// All rules that are broken, in WSO2's order (length, user name, pattern), then ours. Where strength is estimated it takes a millisecond,
    /// and a hundred of them for a hostile password: not for a thread that serves.
    pub fn violations(&self, password: &str, about: &About<'_>) -> Vec<Violation> {
        let most = self.most_characters();
        // Composing makes at most three code points of four bytes into one.
        if password.len() > 12 * MOST_CHARACTERS as usize {
            return vec![Violation::Broken(Rule::MaxLength(most))];
        }
        let password = normal(password);
        let length = u32::try_from(password.chars().count()).unwrap_or(u32::MAX);
        if length > MOST_CHARACTERS {
            return vec![Violation::Broken(Rule::MaxLength(most))];
        }
        let mut broken = Vec::new();
        let mut require = |kept: bool, rule: Rule| {
            if !kept {
                broken.push(Violation::Broken(rule));
            }
        };
        require(length >= self.least_characters(), Rule::MinLength(self.least_characters()));
        require(length <= most, Rule::MaxLength(most));
        require(!self.not_username || !about.is_username(&password), Rule::NotUsername);
        match self.pattern.as_ref().map(|pattern| pattern.matches(&password)) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => broken.push(Violation::Broken(Rule::Pattern(self.pattern_message()))),
            // a pattern that cannot be run says nothing about any password, least of all that it is good
            Some(Err(_)) => broken.push(Violation::Misconfigured),
        }
        let words = about.words(&self.words);
        let mut require = |kept: bool, rule: Rule| {
            if !kept {
                broken.push(Violation::Broken(rule));
            }
        };
        require(!self.not_common || !strength::is_common(&password), Rule::NotCommon);
        require(!self.no_context_words || !context::contains_any(&password, &words), Rule::NoContextWord);
        let score = self.min_score.min(4);
        require(score == 0 || strength::score(&password, &words) >= score, Rule::MinScore(score));
        broken
    }

    fn least_characters(&self) -> u32 {
        self.min_length.clamp(1, MOST_CHARACTERS)
    }

    fn most_characters(&self) -> u32 {
        if self.max_length == 0 { MOST_CHARACTERS } else { self.max_length.min(MOST_CHARACTERS) }
    }

    fn pattern_message(&self) -> String {
        if self.message.trim().is_empty() { WSO2_MESSAGE.to_owned() } else { self.message.clone() }
    }
}

/// In the one form keyboards do not differ in.
fn normal(password: &str) -> String {
    if is_nfc(password) { password.to_owned() } else { password.nfc().collect() }
}

#[cfg(test)]
mod tests;
