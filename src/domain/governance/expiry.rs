//! Password expiry rules for roles and groups.

use std::fmt;

use super::BadValue;

const MAX_DAYS: u32 = 36_500;
const MAX_PRIORITY: u32 = 1_000;
const MAX_VALUES: usize = 5;
const MAX_VALUE_CHARS: usize = 255;

/// The list of the user that a rule compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    Roles,
    Groups,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Passwords of users who have all values expire after the rule's days.
    Equal,
    /// Passwords of these users never expire, whatever the days are, as in WSO2.
    NotEqual,
}

/// `priority,days,attribute,operator,value…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryRule {
    /// The rule with the smallest number is evaluated first.
    pub priority: u32,
    /// Zero: passwords of these users never expire.
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
        let priority = number(priority, 1, MAX_PRIORITY).ok_or_else(|| {
            BadValue::new(format!("its first part is the priority: give a number from 1 to {MAX_PRIORITY}"))
        })?;
        let days = number(days, 0, MAX_DAYS).ok_or_else(|| {
            BadValue::new(format!("its second part is days: give a number from 0 (never) to {MAX_DAYS}"))
        })?;
        let attribute = match attribute.to_ascii_lowercase().as_str() {
            "roles" => Attribute::Roles,
            "groups" => Attribute::Groups,
            _ => return Err(BadValue::new("its third part is the attribute: give `roles` or `groups`")),
        };
        let operator = match operator.to_ascii_lowercase().as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            _ => return Err(BadValue::new("its fourth part is the operator: give `eq` or `ne`")),
        };
        if values.is_empty() || values.len() > MAX_VALUES {
            return Err(BadValue::new(format!("it has {} values: give 1 to {MAX_VALUES}", values.len())));
        }
        if values.iter().any(|value| value.is_empty() || value.chars().count() > MAX_VALUE_CHARS) {
            return Err(BadValue::new(format!(
                "a value is empty or longer than {MAX_VALUE_CHARS} characters: give the name of a role or group"
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

/// Splits the text at commas. Within single or double quotes a comma is an ordinary character, and a
/// doubled quote stands for one.
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

/// After how many days a password expires; `None`: never. The first applicable rule in order of priority
/// decides; of two with the same priority the first in the list. If none applies, `default_days` applies
/// (zero: never), or none if `skip_if_no_applicable`. `NotEqual` rules apply only against that default.
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
