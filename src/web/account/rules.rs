//! The password policy as a list on the page: what is asked, and after an attempt what was missing.

use crate::{
    domain::password::{PasswordPolicy, Rule, Violation},
    web::view::{Asked, RuleLine},
};

/// Before anything is typed.
pub fn asked(policy: &PasswordPolicy) -> Vec<RuleLine> {
    let line = |rule| RuleLine { asked: Asked::Rule(rule), met: None };
    policy.requirements().into_iter().map(line).collect()
}

/// After an attempt. `first` is why it was refused, `all` what else can be told without asking anybody. Whether a
/// password is breached or was used before is only looked at when nothing else is wrong, so it may not be known.
pub fn judged(policy: &PasswordPolicy, first: &Violation, all: &[Violation]) -> Vec<RuleLine> {
    let mut broken = all.to_vec();
    if !broken.contains(first) {
        broken.push(first.clone());
    }
    let line = |(rule, is_broken): (Rule, bool)| {
        let is_known = match (&rule, first.rule()) {
            (Rule::NotUsedBefore(_), why) => matches!(why, Some(Rule::NotUsedBefore(_))),
            (Rule::NotBreached, why) => matches!(why, Some(Rule::NotBreached | Rule::NotUsedBefore(_))),
            _ => true,
        };
        RuleLine { met: is_known.then_some(!is_broken), asked: Asked::Rule(rule) }
    };
    policy.checklist(&broken).into_iter().map(line).collect()
}

/// The new password is the one in use.
pub fn same(policy: &PasswordPolicy) -> Vec<RuleLine> {
    let mut lines = asked(policy);
    lines.push(RuleLine { asked: Asked::Another, met: Some(false) });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PasswordPolicy {
        PasswordPolicy { min_length: 8, not_username: true, history: 5, ..PasswordPolicy::default() }
    }

    fn met(lines: &[RuleLine]) -> Vec<Option<bool>> {
        lines.iter().map(|line| line.met).collect()
    }

    #[test]
    fn before_an_attempt_nothing_is_judged() {
        assert_eq!(met(&asked(&policy())), [None, None, None]);
        assert_eq!(met(&same(&policy())), [None, None, None, Some(false)]);
    }

    #[test]
    fn what_was_not_looked_at_is_neither_met_nor_missing() {
        let short = Violation::Broken(Rule::MinLength(8));
        let lines = judged(&policy(), &short, &[short.clone(), Violation::Broken(Rule::NotUsername)]);
        assert_eq!(met(&lines), [Some(false), Some(false), None]);
        assert_eq!(met(&judged(&policy(), &short, &[])), [Some(false), Some(true), None]);
        let used = Violation::Broken(Rule::NotUsedBefore(5));
        assert_eq!(met(&judged(&policy(), &used, &[])), [Some(true), Some(true), Some(false)]);
    }
}
