//! The password policy as a list on the page: what is asked, and after an attempt what was missing.

use crate::{
    domain::password::{PasswordPolicy, Violation},
    web::view::{Rule, RuleText},
};

/// Before anything is typed.
pub fn asked(policy: &PasswordPolicy) -> Vec<Rule> {
    let mut rules = vec![RuleText::Min(policy.min_length)];
    if policy.history > 0 {
        rules.push(RuleText::History(policy.history));
    }
    rules.into_iter().map(|text| Rule { text, met: None }).collect()
}

/// After an attempt: what is on the list is met, but for what was broken.
pub fn judged(policy: &PasswordPolicy, _violation: &Violation) -> Vec<Rule> {
    asked(policy)
        .into_iter()
        .map(|rule| Rule { met: Some(rule.text != RuleText::History(policy.history)), ..rule })
        .collect()
}

/// The new password is the one in use.
pub fn same(policy: &PasswordPolicy) -> Vec<Rule> {
    let mut rules = asked(policy);
    rules.retain(|rule| !matches!(rule.text, RuleText::History(_)));
    rules.push(Rule { text: RuleText::New, met: Some(false) });
    rules
}
