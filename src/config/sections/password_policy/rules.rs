//! Requirements for passwords, resolved, and the policy that they compile to.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::{
    governance::ExpiryRule,
    password::{BreachPolicy, JavaPattern, PasswordExpiry, PasswordPolicy},
};

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

    /// 7 of `passwordExpiry.rule7`.
    pub fn rule_number(name: &str) -> Option<u32> {
        name.strip_prefix("passwordExpiry.rule")?.parse().ok()
    }

    /// Blank removes the rule.
    pub fn set_rule(&mut self, number: u32, value: &str) {
        if value.is_empty() {
            self.rules.remove(&number);
        } else if let Ok(rule) = ExpiryRule::parse(value) {
            self.rules.insert(number, rule);
        }
    }

    /// Blank: there is no such rule.
    pub fn rule(&self, number: u32) -> String {
        self.rules.get(&number).map(ToString::to_string).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::governance::expiry_days;

    #[test]
    fn evaluates_rules_by_priority_then_number() {
        let mut expiry = ExpiryRules { enabled: true, ..ExpiryRules::default() };
        for (name, value) in [
            ("passwordExpiry.rule10", "1,3,roles,eq,a"),
            ("passwordExpiry.rule2", "1,2,roles,eq,a"),
            ("passwordExpiry.rule7", "2,9,roles,eq,a"),
            ("passwordExpiry.passwordExpiryInDays", "30"),
            ("passwordExpiry.rule3", ""),
        ] {
            if let Some(number) = ExpiryRules::rule_number(name) {
                expiry.set_rule(number, value);
            }
        }
        for days in [Some(2), Some(3), Some(9), Some(30)] {
            let rules = expiry.expiry().rules;
            assert_eq!(expiry_days(&rules, 30, false, &["a".to_owned()], &[]), days);
            expiry.rules.retain(|_, rule| Some(rule.days) != days);
        }
    }
}
