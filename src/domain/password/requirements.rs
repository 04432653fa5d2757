//! What a page says about a policy before anything is typed: to people, and to their password managers.

use super::{PasswordPolicy, Rule, Violation};

impl PasswordPolicy {
    /// Every demand, in the order in which they are checked.
    pub fn requirements(&self) -> Vec<Rule> {
        let mut rules = vec![Rule::MinLength(self.least_characters())];
        let mut add = |on: bool, rule: Rule| {
            if on {
                rules.push(rule);
            }
        };
        // no typed password comes near the ceiling, so it is only a demand when somebody has set it
        add(self.max_length > 0, Rule::MaxLength(self.most_characters()));
        add(self.not_username, Rule::NotUsername);
        // `.*` is how an operator switches the pattern off: it asks for nothing
        add(self.pattern.as_ref().is_some_and(|p| p.source() != ".*"), Rule::Pattern(self.pattern_message()));
        add(self.not_common, Rule::NotCommon);
        add(self.no_context_words, Rule::NoContextWord);
        add(self.min_score > 0, Rule::MinScore(self.min_score.min(4)));
        add(self.breached.is_some(), Rule::NotBreached);
        add(self.history > 0, Rule::NotUsedBefore(self.history));
        rules
    }

    /// The list again after an attempt: each demand, and whether it was broken.
    pub fn checklist(&self, violations: &[Violation]) -> Vec<(Rule, bool)> {
        let broken = |rule: &Rule| violations.iter().any(|violation| violation.rule() == Some(rule));
        let mut list: Vec<(Rule, bool)> =
            self.requirements().into_iter().map(|rule| (rule.clone(), broken(&rule))).collect();
        // the ceiling is no demand until somebody reaches it
        for rule in violations.iter().filter_map(Violation::rule) {
            if !list.iter().any(|(listed, _)| listed == rule) {
                list.push((rule.clone(), true));
            }
        }
        list
    }

    /// The value of the `passwordrules` attribute, by which a password manager makes one that is taken at once.
    pub fn passwordrules(&self) -> String {
        let mut rules = vec![
            format!("minlength: {}", self.least_characters()),
            format!("maxlength: {}", self.most_characters()),
        ];
        if let Some(pattern) = &self.pattern {
            rules.extend(demanded_classes(pattern.source()).map(|class| format!("required: {class}")));
        }
        rules.join("; ") + ";"
    }
}

/// What the look-aheads of a pattern such as `(?=.*\d)(?=.*[a-z])` demand, in the attribute's words. Others it may
/// have are passed over: a manager's password that misses them is refused like anybody's.
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
