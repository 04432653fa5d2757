//! Settings of accounts: store, password hashing, session lifetimes, password rules.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::StoreSettings;
use crate::domain::{
    governance::ExpiryRule,
    password::{BreachPolicy, JavaPattern, PasswordExpiry, PasswordPolicy},
};

/// Accounts of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    pub enabled: bool,
    pub store: StoreSettings,
    pub hashing: HashingSettings,
}

/// How passwords are hashed (argon2id), and how many at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashingSettings {
    /// KiB.
    pub memory: u32,
    pub iterations: u32,
    /// 0 has been replaced by the number of cores this process may use.
    pub parallel: usize,
    /// Hashes that may wait.
    pub queue: usize,
}

/// Session lifetimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    pub idle_timeout: Duration,
    pub lifetime: Duration,
    pub max_per_account: usize,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_hours(1),
            lifetime: Duration::from_hours(24),
            max_per_account: 20,
        }
    }
}

/// `[password_policy]` as it is written; `policy` compiles it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRules {
    /// Whether the next four fields apply.
    pub enabled: bool,
    pub min_length: u32,
    pub max_length: u32,
    pub pattern: Option<JavaPattern>,
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
    pub breached: BreachPolicy,
}

/// When passwords expire, in WSO2's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryRules {
    pub enabled: bool,
    /// For accounts to which no rule applies.
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
    fn expiry(&self) -> PasswordExpiry {
        if !self.enabled || self.left_to_applications {
            return PasswordExpiry::default();
        }
        PasswordExpiry {
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
            breached: BreachPolicy::default(),
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
