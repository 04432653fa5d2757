//! Accounts of our own: where they are kept, how they are hashed, how long a session lasts, what a password must be like.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::Store;
use crate::domain::{
    governance::ExpiryRule,
    password::{Breached, Expiry, PasswordPolicy, Pattern},
};

/// Accounts of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    pub enabled: bool,
    pub store: Store,
    pub hashing: Hashing,
}

/// How passwords are hashed (argon2id), and how many at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashing {
    /// KiB.
    pub memory: u32,
    pub iterations: u32,
    /// 0 has been replaced by the number of cores this process may use.
    pub parallel: usize,
    /// Those that may wait.
    pub queue: usize,
}

/// How long who signed in stays signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub idle_timeout: Duration,
    pub lifetime: Duration,
    pub max_per_account: usize,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_hours(1),
            lifetime: Duration::from_hours(24),
            max_per_account: 20,
        }
    }
}

/// `[password_policy]` as it is written; `policy` is what it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRules {
    /// Whether the next four count.
    pub enabled: bool,
    pub min_length: u32,
    pub max_length: u32,
    pub pattern: Option<Pattern>,
    pub message: String,
    /// Whether the last passwords are refused, and how many of them.
    pub history_enabled: bool,
    pub history_count: u32,
    pub expiry: ExpiryRules,
    pub common_list: bool,
    pub min_score: u8,
    pub context_words: bool,
    pub words: Vec<String>,
    pub breached_url: Option<Arc<str>>,
    pub breached: Breached,
}

/// When passwords expire, in WSO2's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryRules {
    pub enabled: bool,
    /// For those to whom no rule applies.
    pub days: u32,
    /// By the number in their names.
    pub rules: BTreeMap<u32, ExpiryRule>,
    pub only_by_rule: bool,
    /// Only where an application asks for it, and none here does.
    pub left_to_applications: bool,
}

impl Default for ExpiryRules {
    fn default() -> Self {
        Self {
            enabled: false,
            days: 30,
            rules: BTreeMap::new(),
            only_by_rule: false,
            left_to_applications: false,
        }
    }
}

impl ExpiryRules {
    fn expiry(&self) -> Expiry {
        if !self.enabled || self.left_to_applications {
            return Expiry::default();
        }
        Expiry {
            days: self.days,
            rules: self.rules.values().cloned().collect(),
            only_by_rule: self.only_by_rule,
        }
    }
}

impl Default for PasswordRules {
    fn default() -> Self {
        let wso2 = PasswordPolicy::wso2();
        Self {
            enabled: false,
            min_length: wso2.min_length,
            max_length: wso2.max_length,
            pattern: wso2.pattern,
            message: wso2.message,
            history_enabled: false,
            history_count: 5,
            expiry: ExpiryRules::default(),
            common_list: false,
            min_score: 0,
            context_words: false,
            words: Vec::new(),
            breached_url: None,
            breached: Breached::default(),
        }
    }
}

impl PasswordRules {
    pub fn policy(&self) -> PasswordPolicy {
        let wso2 = if self.enabled {
            PasswordPolicy {
                min_length: self.min_length,
                // of two files, so that the one cannot know the other
                max_length: self.max_length.max(self.min_length),
                not_username: true,
                pattern: self.pattern.clone(),
                message: self.message.clone(),
                ..PasswordPolicy::default()
            }
        } else {
            PasswordPolicy::default()
        };
        PasswordPolicy {
            history: if self.history_enabled { self.history_count } else { 0 },
            expiry: self.expiry.expiry(),
            not_common: self.common_list,
            min_score: self.min_score,
            no_context_words: self.context_words,
            words: self.words.clone(),
            breached: self.breached_url.is_some().then_some(self.breached),
            ..wso2
        }
    }
}
