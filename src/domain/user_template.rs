//! Text with placeholders for the values of a user: `{name}@{tenant}`.

use std::fmt;

use super::identity::User;

/// A value of a user that a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserValue {
    /// The name by which the portal distinguishes users.
    Name,
    Tenant,
    Email,
    DisplayName,
    /// Separated by commas.
    Roles,
    /// Separated by blanks.
    Scopes,
}

impl UserValue {
    pub const ALL: [Self; 6] =
        [Self::Name, Self::Tenant, Self::Email, Self::DisplayName, Self::Roles, Self::Scopes];

    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tenant => "tenant",
            Self::Email => "email",
            Self::DisplayName => "display_name",
            Self::Roles => "roles",
            Self::Scopes => "scopes",
        }
    }

    /// `name` is the user's name for the portal.
    fn of(self, user: &User, name: &str) -> Option<String> {
        match self {
            Self::Name => Some(name.to_owned()),
            Self::Tenant => Some(user.tenant.to_string()),
            Self::Email => user.email.clone(),
            Self::DisplayName => user.display_name.clone(),
            Self::Roles => list(&user.roles, ","),
            Self::Scopes => list(&user.scopes, " "),
        }
    }
}

/// A member that contains the separator is omitted: it would read as two.
fn list(members: &[String], separator: &str) -> Option<String> {
    let whole = members.iter().filter(|member| !member.is_empty() && !member.contains(separator));
    let joined = whole.map(String::as_str).collect::<Vec<_>>().join(separator);
    (!joined.is_empty()).then_some(joined)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Value(UserValue),
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserTemplate(Vec<TemplatePart>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    #[error("there is no placeholder {{{0}}}")]
    UnknownPlaceholder(String),
    #[error("a brace is not closed, or not opened")]
    Brace,
    #[error("there is no placeholder in it, so that it says nothing about the user")]
    NoPlaceholder,
}

impl UserTemplate {
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            push_text(&mut parts, before)?;
            let (written, after) = after.split_once('}').ok_or(InvalidTemplate::Brace)?;
            let value = UserValue::ALL.into_iter().find(|value| value.placeholder() == written);
            let value = value.ok_or_else(|| InvalidTemplate::UnknownPlaceholder(written.to_owned()))?;
            parts.push(TemplatePart::Value(value));
            rest = after;
        }
        push_text(&mut parts, rest)?;
        if parts.iter().any(|part| matches!(part, TemplatePart::Value(_))) {
            Ok(Self(parts))
        } else {
            Err(InvalidTemplate::NoPlaceholder)
        }
    }

    /// `None` if the user has no value for one of the placeholders. `name` is the user's name for the portal.
    pub fn render(&self, user: &User, name: &str) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                TemplatePart::Text(text) => Some(text.clone()),
                TemplatePart::Value(value) => value.of(user, name),
            })
            .collect()
    }
}

fn push_text(parts: &mut Vec<TemplatePart>, text: &str) -> Result<(), InvalidTemplate> {
    if text.contains('}') {
        return Err(InvalidTemplate::Brace);
    }
    if !text.is_empty() {
        parts.push(TemplatePart::Text(text.to_owned()));
    }
    Ok(())
}

impl fmt::Display for UserTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                TemplatePart::Text(text) => f.write_str(text)?,
                TemplatePart::Value(value) => write!(f, "{{{}}}", value.placeholder())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tenant::TenantId;

    fn user() -> User {
        User {
            name: "alice".into(),
            tenant: TenantId::parse("acme.com").unwrap(),
            email: None,
            display_name: Some("Alice".into()),
            roles: vec!["admin".into(), "a,b".into(), "dev".into()],
            scopes: Vec::new(),
            expires_at: crate::domain::time::Timestamp::EPOCH,
        }
    }

    #[test]
    fn renders_values_of_the_user() {
        for (template, rendered) in [
            ("{name}", Some("alice@x")),
            ("{name}/{tenant}", Some("alice@x/acme.com")),
            ("user={display_name};roles={roles}", Some("user=Alice;roles=admin,dev")),
            ("{email}", None),
            ("{name} {scopes}", None),
        ] {
            let parsed = UserTemplate::parse(template).unwrap();
            assert_eq!(parsed.render(&user(), "alice@x").as_deref(), rendered, "{template}");
            assert_eq!(parsed.to_string(), template);
        }
    }

    #[test]
    fn rejects_templates_that_say_nothing() {
        use InvalidTemplate::{Brace, NoPlaceholder, UnknownPlaceholder};
        for (template, error) in [
            ("", NoPlaceholder),
            ("admin", NoPlaceholder),
            ("{name", Brace),
            ("name}", Brace),
            ("{{name}}", UnknownPlaceholder("{name".into())),
            ("{sub}", UnknownPlaceholder("sub".into())),
        ] {
            assert_eq!(UserTemplate::parse(template), Err(error), "{template}");
        }
    }
}
