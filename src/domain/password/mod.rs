//! The password policy as it is configured; its rules are merged with the next commit.
use std::time::Duration;
#[derive(Debug, Clone, PartialEq)]
pub struct PasswordPolicy {
    pub enabled: bool,
    pub min_length: u32,
    pub max_length: u32,
    pub pattern: Pattern,
    pub message: String,
    pub history: u32,
    pub expiry_days: u32,
    pub common_list: bool,
    pub min_score: u8,
    pub context_words: Vec<String>,
    pub breached_url: Option<String>,
}
impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            min_length: 6,
            max_length: 12,
            pattern: Pattern(String::new()),
            message: String::new(),
            history: 0,
            expiry_days: 0,
            common_list: false,
            min_score: 0,
            context_words: vec![],
            breached_url: None,
        }
    }
}
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Violation {
    #[error("x")]
    InHistory,
    #[error("y")]
    Breached,
}
impl PasswordPolicy {
    pub fn check(&self, _: &str, _: &[&str]) -> Result<(), Violation> {
        let _ = Duration::ZERO;
        Ok(())
    }
    pub fn is_expired(&self, _: u64, _: u64) -> bool {
        false
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);
impl Pattern {
    pub fn compile(s: &str) -> Result<Self, String> {
        Ok(Self(s.to_owned()))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
