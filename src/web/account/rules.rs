//! The password policy as a list on the page: requirements, and after an attempt which of them are met.

use crate::{
    domain::password::{PasswordPolicy, PasswordRule, Violation},
    web::view::{Requirement, RuleLine},
};

/// Before anything is typed.
pub fn requirements(policy: &PasswordPolicy) -> Vec<RuleLine> {
    let line = |rule| RuleLine { requirement: Requirement::Rule(rule), is_met: None };
    policy.requirements().into_iter().map(line).collect()
}

/// After an attempt. `first` is why it was refused, `all` the violations that can be determined locally. Whether a
/// password is breached or was used before is checked only if nothing else is wrong, so it may be unknown.
pub fn evaluated_requirements(
    policy: &PasswordPolicy,
    first: &Violation,
    all: &[Violation],
) -> Vec<RuleLine> {
    let mut broken = all.to_vec();
    if !broken.contains(first) {
        broken.push(first.clone());
    }
    let line = |(rule, is_broken): (PasswordRule, bool)| {
        let is_known = match (&rule, first.rule()) {
            (PasswordRule::NotUsedBefore(_), why) => matches!(why, Some(PasswordRule::NotUsedBefore(_))),
            (PasswordRule::NotBreached, why) => {
                matches!(why, Some(PasswordRule::NotBreached | PasswordRule::NotUsedBefore(_)))
            }
            _ => true,
        };
        RuleLine { is_met: is_known.then_some(!is_broken), requirement: Requirement::Rule(rule) }
    };
    policy.checklist(&broken).into_iter().map(line).collect()
}

/// The new password is the one in use.
pub fn same_password_requirements(policy: &PasswordPolicy) -> Vec<RuleLine> {
    let mut lines = requirements(policy);
    lines.push(RuleLine { requirement: Requirement::DifferentPassword, is_met: Some(false) });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PasswordPolicy {
        PasswordPolicy { min_length: 8, not_username: true, history: 5, ..PasswordPolicy::default() }
    }

    fn met(lines: &[RuleLine]) -> Vec<Option<bool>> {
        lines.iter().map(|line| line.is_met).collect()
    }

    #[test]
    fn no_rule_is_evaluated_before_an_attempt() {
        assert_eq!(met(&requirements(&policy())), [None, None, None]);
        assert_eq!(met(&same_password_requirements(&policy())), [None, None, None, Some(false)]);
    }

    #[test]
    fn rules_not_evaluated_are_neither_met_nor_unmet() {
        let short = Violation::Broken(PasswordRule::MinLength(8));
        let lines = evaluated_requirements(
            &policy(),
            &short,
            &[short.clone(), Violation::Broken(PasswordRule::NotUsername)],
        );
        assert_eq!(met(&lines), [Some(false), Some(false), None]);
        assert_eq!(met(&evaluated_requirements(&policy(), &short, &[])), [Some(false), Some(true), None]);
        let used = Violation::Broken(PasswordRule::NotUsedBefore(5));
        assert_eq!(
            met(&evaluated_requirements(&policy(), &used, &[])),
            [Some(true), Some(true), Some(false)]
        );
    }
}
