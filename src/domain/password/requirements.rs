//! The requirements of a policy, for the page with the password form and for password managers.

use super::{PasswordPolicy, PasswordRule, Violation};

impl PasswordPolicy {
    /// All rules in the order of evaluation.
    pub fn requirements(&self) -> Vec<PasswordRule> {
        let mut rules = vec![PasswordRule::MinLength(self.min_characters())];
        let mut add = |on: bool, rule: PasswordRule| {
            if on {
                rules.push(rule);
            }
        };
        // the built-in maximum is rarely reached, so it is listed only if it is configured
        add(self.max_length > 0, PasswordRule::MaxLength(self.max_characters()));
        add(self.not_username, PasswordRule::NotUsername);
        // operators disable the pattern with `.*`
        add(
            self.pattern.as_ref().is_some_and(|p| p.source() != ".*"),
            PasswordRule::Pattern(self.pattern_message()),
        );
        add(self.not_common, PasswordRule::NotCommon);
        add(self.no_context_words, PasswordRule::NoContextWord);
        add(self.min_score > 0, PasswordRule::MinScore(self.min_score.min(4)));
        add(self.breached.is_some(), PasswordRule::NotBreached);
        add(self.history > 0, PasswordRule::NotUsedBefore(self.history));
        rules
    }

    /// The rules after an attempt, each with whether it was violated.
    pub fn checklist(&self, violations: &[Violation]) -> Vec<(PasswordRule, bool)> {
        let broken = |rule: &PasswordRule| violations.iter().any(|violation| violation.rule() == Some(rule));
        let mut list: Vec<(PasswordRule, bool)> =
            self.requirements().into_iter().map(|rule| (rule.clone(), broken(&rule))).collect();
        // the built-in maximum is listed if the password exceeds it
        for rule in violations.iter().filter_map(Violation::rule) {
            if !list.iter().any(|(listed, _)| listed == rule) {
                list.push((rule.clone(), true));
            }
        }
        list
    }

    /// The value of the `passwordrules` attribute, from which a password manager generates a valid password.
    pub fn passwordrules(&self) -> String {
        let mut rules = vec![
            format!("minlength: {}", self.min_characters()),
            format!("maxlength: {}", self.max_characters()),
        ];
        if let Some(pattern) = &self.pattern {
            rules.extend(demanded_classes(pattern.source()).map(|class| format!("required: {class}")));
        }
        rules.join("; ") + ";"
    }
}

/// The character classes that lookaheads such as `(?=.*\d)(?=.*[a-z])` require, in the syntax of the
/// attribute. Other requirements of the pattern are ignored: the generated password may then be rejected.
fn demanded_classes(pattern: &str) -> impl Iterator<Item = String> {
    pattern.split("(?=.*").skip(1).filter_map(|rest| match rest.split_once(')')?.0 {
        r"\d" | "[0-9]" => Some("digit".to_owned()),
        "[a-z]" => Some("lower".to_owned()),
        "[A-Z]" => Some("upper".to_owned()),
        class => special(class),
    })
}

/// A class of single punctuation characters that need no escape in the attribute.
fn special(class: &str) -> Option<String> {
    let inner = class.strip_prefix('[')?.strip_suffix(']')?;
    let plain = |c: char| c.is_ascii_punctuation() && !matches!(c, '\\' | '[' | ']' | '-' | '^' | '"');
    (!inner.is_empty() && inner.chars().all(plain)).then(|| class.to_owned())
}
