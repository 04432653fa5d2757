//! `$env{NAME}` and `${NAME}` in the texts of `deployment.toml`, filled in from the environment as WSO2 does it.
//!
//! WSO2's other forms (`$sys{…}`, `$ref{…}`, `$secret{…}`, `${carbon.home}`) are mistakes: taken literally they would
//! be a wrong value that no check reports. A tenant's file takes nothing from the environment: its author may be
//! another person than the operator, and would read the server's secrets.

use std::collections::BTreeMap;

use super::{DocumentNode, Findings, KeyPath, KeyStep, NodeValue, env};

/// Keys whose secret can also be in a file.
const KEYS_WITH_FILE: [&str; 2] = ["client_secret", "store_url"];

/// Where placeholders may take their values from.
#[derive(Clone, Copy)]
pub enum ValueSource<'a> {
    Environment(&'a BTreeMap<String, String>),
    /// A tenant's file.
    Nothing,
}

/// Fills in the texts below `key`. A value that cannot be filled in is reported and removed.
pub fn fill_in(root: &mut DocumentNode, key: &KeyPath, source: ValueSource<'_>, findings: &mut Findings) {
    if let Some(node) = root.at_mut(key) {
        fill_in_node(node, key, source, findings);
    }
}

/// Whether the value stays.
fn fill_in_node(
    node: &mut DocumentNode,
    key: &KeyPath,
    source: ValueSource<'_>,
    findings: &mut Findings,
) -> bool {
    match &mut node.value {
        NodeValue::Text(text) => match fill_in_text(text, source) {
            Ok(Filled::Unchanged) => {}
            Ok(Filled::Whole(value)) => {
                // read as the key needs it: a number, a text or a list
                let place = node.place.clone();
                *node = env::possible_values(&value, &place);
            }
            Ok(Filled::Part(value)) => node.value = NodeValue::Text(value),
            Err(problem) => {
                findings.push(key.clone(), node.place.clone(), problem.to_string(), problem.remedy(key));
                return false;
            }
        },
        NodeValue::List(items) => items.retain_mut(|item| {
            let index = item.index;
            fill_in_node(&mut item.node, &key.item(index), source, findings)
        }),
        NodeValue::Table(entries) => entries.retain_mut(|entry| {
            let key = key.name(&entry.name);
            fill_in_node(&mut entry.node, &key, source, findings)
        }),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {}
    }
    true
}

#[derive(Debug, PartialEq, Eq)]
enum Filled {
    Unchanged,
    /// The text is one placeholder and nothing else.
    Whole(String),
    Part(String),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum PlaceholderError {
    #[error("the environment variable `{0}` is not set")]
    NotSet(String),
    #[error("`${0}{{…}}` is WSO2's, and Doorward cannot resolve it")]
    OfWso2(&'static str),
    #[error("`${{{0}}}` is a property of WSO2's server, which Doorward does not know")]
    ServerProperty(String),
    #[error("a tenant's file takes no values from the environment")]
    InTenantFile,
}

impl PlaceholderError {
    fn remedy(&self, key: &KeyPath) -> String {
        let variable = match self {
            Self::InTenantFile => None,
            Self::NotSet(_) | Self::OfWso2(_) | Self::ServerProperty(_) => variable_name(key),
        };
        let name = match key.steps().last() {
            Some(KeyStep::Name(name)) if KEYS_WITH_FILE.contains(&name.as_str()) => Some(name),
            _ => None,
        };
        let mut ways = match self {
            Self::NotSet(_) => vec!["set it".to_owned()],
            _ => vec!["write the value".to_owned()],
        };
        ways.extend(name.map(|name| format!("name a file that has it with `{name}_file`")));
        ways.extend(variable.map(|variable| format!("set {variable}")));
        ways.join(", or ")
    }
}

/// The `DOORWARD_…` variable of a key, if its names can be written so.
fn variable_name(key: &KeyPath) -> Option<String> {
    let mut steps = Vec::new();
    for step in key.steps() {
        match step {
            KeyStep::Index(index) => steps.push(index.to_string()),
            KeyStep::Name(name) if is_variable_name(name) => steps.push(name.to_ascii_uppercase()),
            KeyStep::Name(_) => return None,
        }
    }
    Some(format!("{}{}", env::PREFIX, steps.join("__")))
}

fn fill_in_text(text: &str, source: ValueSource<'_>) -> Result<Filled, PlaceholderError> {
    let mut filled = String::new();
    let (mut rest, mut count) = (text, 0);
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let Some(placeholder) = placeholder(from) else {
            filled.push('$');
            rest = from.get(1..).unwrap_or_default();
            continue;
        };
        let value = placeholder.value(source)?;
        if from.len() == text.len() && placeholder.rest.is_empty() {
            return Ok(Filled::Whole(value.to_owned()));
        }
        filled.push_str(value);
        rest = placeholder.rest;
        count += 1;
    }
    filled.push_str(rest);
    Ok(if count == 0 { Filled::Unchanged } else { Filled::Part(filled) })
}

struct Placeholder<'a> {
    /// The word between `$` and `{`.
    kind: &'static str,
    name: &'a str,
    rest: &'a str,
}

/// The placeholder at the start of a text that begins with `$`. `${3}` of a regular expression is none.
fn placeholder(text: &str) -> Option<Placeholder<'_>> {
    let text = text.strip_prefix('$')?;
    let (kind, text) = ["", "env", "sys", "ref", "secret"]
        .into_iter()
        .find_map(|kind| Some((kind, text.strip_prefix(kind)?.strip_prefix('{')?)))?;
    let (name, rest) = text.split_once('}')?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_name = begins && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    is_name.then_some(Placeholder { kind, name, rest })
}

impl Placeholder<'_> {
    fn value<'v>(&self, source: ValueSource<'v>) -> Result<&'v str, PlaceholderError> {
        let ValueSource::Environment(variables) = source else { return Err(PlaceholderError::InTenantFile) };
        match self.kind {
            "" if !is_variable_name(self.name) => Err(PlaceholderError::ServerProperty(self.name.to_owned())),
            "" | "env" => variables
                .get(self.name)
                .map(String::as_str)
                .ok_or_else(|| PlaceholderError::NotSet(self.name.to_owned())),
            kind => Err(PlaceholderError::OfWso2(kind)),
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// One text on its own; `None` if it cannot be filled in.
pub fn filled_in(text: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    match fill_in_text(text, ValueSource::Environment(variables)) {
        Ok(Filled::Unchanged) => Some(text.to_owned()),
        Ok(Filled::Whole(value) | Filled::Part(value)) => Some(value),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("HOST", "portal.example"), ("PORT", "9443"), ("EMPTY", ""), ("ODD", "${HOST}")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn filled(text: &str) -> Result<Filled, PlaceholderError> {
        fill_in_text(text, ValueSource::Environment(&variables()))
    }

    #[test]
    fn fills_in_variables_of_the_environment() {
        let whole = |text: &str| Filled::Whole(text.to_owned());
        let part = |text: &str| Filled::Part(text.to_owned());
        for (text, expected) in [
            ("$env{HOST}", whole("portal.example")),
            ("${PORT}", whole("9443")),
            ("$env{EMPTY}", whole("")),
            ("https://$env{HOST}:${PORT}", part("https://portal.example:9443")),
            // a value is not searched for placeholders
            ("a $env{ODD}", part("a ${HOST}")),
        ] {
            assert_eq!(filled(text), Ok(expected), "{text}");
        }
        for text in
            ["", "a$", "$", "${}", "${3}", r"^(?=.*\d).{0,100}$", "$env{HOST", "$ENV{HOST}", "{HOST}", "$5"]
        {
            assert_eq!(filled(text), Ok(Filled::Unchanged), "{text}");
        }
    }

    #[test]
    fn reports_unusable_placeholders() {
        for (text, expected) in [
            ("$env{NONE}", PlaceholderError::NotSet("NONE".to_owned())),
            ("x${NONE}", PlaceholderError::NotSet("NONE".to_owned())),
            ("$sys{user.home}", PlaceholderError::OfWso2("sys")),
            ("$ref{super_admin.username}", PlaceholderError::OfWso2("ref")),
            ("$secret{db}", PlaceholderError::OfWso2("secret")),
            ("${carbon.protocol}://x", PlaceholderError::ServerProperty("carbon.protocol".to_owned())),
        ] {
            assert_eq!(filled(text), Err(expected), "{text}");
        }
    }

    /// Attack: the author of a tenant's file reads the variables of the server.
    #[test]
    fn attack_environment_in_a_tenant_file() {
        for text in ["$env{HOST}", "${HOST}", "$env{NONE}", "$secret{x}", "a ${HOST}"] {
            assert_eq!(
                fill_in_text(text, ValueSource::Nothing),
                Err(PlaceholderError::InTenantFile),
                "{text}"
            );
        }
    }
}
