//! Requirements for passwords, resolved, and the policy that they compile to.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::{
    governance::ExpiryRule,
    password::{BreachPolicy, JavaPattern, PasswordExpiry, PasswordPolicy, default_message},
};

/// `[password_policy]` as it is written; `policy` compiles it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRules {
    /// Whether the next four fields apply.
    pub enabled: bool,
    pub min_length: u32,
    pub max_length: u32,
    pub pattern: Option<JavaPattern>,
    /// Empty: derived from the pattern.
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
            message: String::new(),
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
    /// The message in force: as written, or as it is derived from the pattern.
    pub fn shown_message(&self) -> String {
        match &self.pattern {
            Some(pattern) if self.message.is_empty() => default_message(pattern),
            _ => self.message.clone(),
        }
    }

    /// Sets the message; the one that would be derived is not written down, so that it follows the pattern.
    pub fn set_message(&mut self, written: &str) {
        let is_derived = self.pattern.as_ref().is_some_and(|pattern| default_message(pattern) == written);
        self.message = if is_derived { String::new() } else { written.to_owned() };
    }

    /// Without keys in the generic profile: long enough, not common and hard to guess, whatever characters it has (NIST SP
    /// 800-63B §5.1.1.2).
    pub fn safe_default() -> Self {
        Self {
            enabled: true,
            min_length: 8,
            max_length: 64,
            pattern: None,
            common_list: true,
            min_score: 2,
            context_words: true,
            ..Self::default()
        }
    }

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
    use crate::{
        config::{
            sections::password_policy::PasswordPolicySection, text_form::AsText, values::name::NotEmpty,
        },
        domain::{governance::expiry_days, password::WSO2_MESSAGE},
    };

    const WSO2_PATTERN: &str = r"^((?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#$%&*])).{0,100}$";

    fn written(pattern: Option<&str>, message: Option<&str>) -> PasswordPolicySection {
        PasswordPolicySection {
            pattern: pattern.map(|pattern| AsText(JavaPattern::compile(pattern).unwrap())),
            message: message.map(|message| AsText(NotEmpty(message.to_owned()))),
            ..PasswordPolicySection::default()
        }
    }

    #[test]
    fn message_describes_the_pattern_in_force() {
        let derived = "Password must have a digit";
        for (deployment, tenant, shown) in [
            ((None, None), (None, None), WSO2_MESSAGE),
            ((Some(r"(?=.*\d).*"), None), (None, None), derived),
            ((Some(r"(?=.*\d).*"), Some("A digit!")), (None, None), "A digit!"),
            ((None, Some("As WSO2")), (Some(r"(?=.*\d).*"), None), derived),
            ((None, None), (Some(r"(?=.*\d).*"), Some("A digit!")), "A digit!"),
            ((None, None), (Some(r"(?=.*\d).*"), Some(derived)), derived),
            ((Some(r"(?=.*\d).*"), Some("A digit!")), (Some(WSO2_PATTERN), None), WSO2_MESSAGE),
        ] {
            let rules = written(deployment.0, deployment.1).inherit_from(&PasswordRules::default());
            let rules = written(tenant.0, tenant.1).inherit_from(&rules);
            assert_eq!(rules.shown_message(), shown, "{deployment:?} {tenant:?}");
            let again = PasswordPolicySection::from(&rules).inherit_from(&PasswordRules::default());
            assert_eq!(again, rules, "shown and read again");
        }
    }

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
