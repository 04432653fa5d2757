//! Rules by which the passwords of some people expire sooner, later or never.

use std::fmt;

use super::BadValue;

const MOST_DAYS: u32 = 36_500;
const MOST_PRIORITY: u32 = 1_000;
const MOST_VALUES: usize = 5;
const LONGEST_VALUE: usize = 255;

/// Which lists of a person a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    Roles,
    Groups,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The passwords of people who have all of the values expire after the rule's days.
    Equal,
    /// Theirs do not expire, whatever the days are: so WSO2 reads it.
    NotEqual,
}

/// `priority,days,attribute,operator,value…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryRule {
    /// The rule with the smallest number is asked first.
    pub priority: u32,
    /// Zero: the passwords of these people do not expire.
    pub days: u32,
    pub attribute: Attribute,
    pub operator: Operator,
    pub values: Vec<String>,
}

impl ExpiryRule {
    pub fn parse(written: &str) -> Result<Self, BadValue> {
        let fields = fields(written)?;
        let [priority, days, attribute, operator, values @ ..] = fields.as_slice() else {
            return Err(BadValue::new(
                "it has too few parts: give priority, days, `roles` or `groups`, `eq` or `ne`, and a value, with commas \
                 between them",
            ));
        };
        let number = |written: &str, min: u32, max: u32| {
            let digits = !written.is_empty() && written.bytes().all(|b| b.is_ascii_digit());
            written.parse().ok().filter(|number| digits && (min..=max).contains(number))
        };
        let priority = number(priority, 1, MOST_PRIORITY).ok_or_else(|| {
            BadValue::new(format!("its first part is the priority: give a number from 1 to {MOST_PRIORITY}"))
        })?;
        let days = number(days, 0, MOST_DAYS).ok_or_else(|| {
            BadValue::new(format!("its second part is days: give a number from 0 (never) to {MOST_DAYS}"))
        })?;
        let attribute = match attribute.to_ascii_lowercase().as_str() {
            "roles" => Attribute::Roles,
            "groups" => Attribute::Groups,
            _ => return Err(BadValue::new("its third part is what it looks at: give `roles` or `groups`")),
        };
        let operator = match operator.to_ascii_lowercase().as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            _ => return Err(BadValue::new("its fourth part is the operator: give `eq` or `ne`")),
        };
        if values.is_empty() || values.len() > MOST_VALUES {
            return Err(BadValue::new(format!("it has {} values: give 1 to {MOST_VALUES}", values.len())));
        }
        if values.iter().any(|value| value.is_empty() || value.chars().count() > LONGEST_VALUE) {
            return Err(BadValue::new(format!(
                "a value is empty or longer than {LONGEST_VALUE} characters: give the name of a role or group"
            )));
        }
        Ok(Self { priority, days, attribute, operator, values: values.to_vec() })
    }

    fn applies(&self, roles: &[String], groups: &[String]) -> bool {
        let has = match self.attribute {
            Attribute::Roles => roles,
            Attribute::Groups => groups,
        };
        self.values.iter().all(|value| has.contains(value))
    }
}

/// As it is stored and shown: quotes only where a value needs them.
impl fmt::Display for ExpiryRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attribute = match self.attribute {
            Attribute::Roles => "roles",
            Attribute::Groups => "groups",
        };
        let operator = match self.operator {
            Operator::Equal => "eq",
            Operator::NotEqual => "ne",
        };
        write!(f, "{},{},{attribute},{operator}", self.priority, self.days)?;
        for value in &self.values {
            if value.contains(',') || value.starts_with(['\'', '"']) {
                // WSO2 only takes commas within single quotes for letters
                let quote = if value.contains('\'') { "\"" } else { "'" };
                write!(f, ",{quote}{}{quote}", value.replace(quote, &quote.repeat(2)))?;
            } else {
                write!(f, ",{value}")?;
            }
        }
        Ok(())
    }
}

/// What is between commas. Within quotes, single or double, a comma is a letter, and two
/// of the quotes are one.
fn fields(written: &str) -> Result<Vec<String>, BadValue> {
    let mut fields = Vec::new();
    let mut rest = written;
    loop {
        let start = rest.trim_start();
        let quote = start.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let field = if let Some(quote) = quote {
            let (field, after) = quoted_field(start, quote)
                .ok_or_else(|| BadValue::new("a quote is not closed: put one before the next comma"))?;
            rest = after.trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(BadValue::new("something follows a closed quote: put a comma there"));
            }
            field
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, after) = rest.split_at(end);
            rest = after;
            field.to_owned()
        };
        fields.push(field.trim().to_owned());
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// The inside of a field that starts with a quote, and what follows its end.
fn quoted_field(written: &str, quote: char) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = written.strip_prefix(quote)?;
    loop {
        let (inside, after) = rest.split_once(quote)?;
        field.push_str(inside);
        match after.strip_prefix(quote) {
            Some(more) => {
                field.push(quote);
                rest = more;
            }
            None => return Some((field, after)),
        }
    }
}

/// The rules among a tenant's settings (name and value), in the order in which they are asked: by priority, and by the
/// number in their names where that is the same. What is no rule is passed over.
pub fn in_order<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<ExpiryRule> {
    let mut rules: Vec<(u32, ExpiryRule)> = settings
        .into_iter()
        .filter_map(|(name, value)| {
            let number = name.strip_prefix("passwordExpiry.rule")?.parse().ok()?;
            Some((number, ExpiryRule::parse(value).ok()?))
        })
        .collect();
    rules.sort_by_key(|(number, rule)| (rule.priority, *number));
    rules.into_iter().map(|(_, rule)| rule).collect()
}

/// After how many days somebody's password expires; `None`: never. The first rule in order of priority that applies
/// decides; of two with the same priority the first in the list. Without one, `default_days` count (zero: never),
/// or nothing does where `skip_if_no_applicable`. Rules that let a password live on count only against that default.
pub fn expiry_days(
    ordered: &[ExpiryRule],
    default_days: u32,
    skip_if_no_applicable: bool,
    roles: &[String],
    groups: &[String],
) -> Option<u32> {
    let first = ordered
        .iter()
        .filter(|rule| !skip_if_no_applicable || rule.operator == Operator::Equal)
        .filter(|rule| rule.applies(roles, groups))
        .min_by_key(|rule| rule.priority);
    let days = match first {
        Some(rule) if rule.operator == Operator::Equal => rule.days,
        None if !skip_if_no_applicable => default_days,
        _ => 0,
    };
    (days > 0).then_some(days)
}
