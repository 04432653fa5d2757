//! What a path is to the portal, and who may use it.

mod automaton;
pub mod generic;
mod pattern;
pub mod table;
#[cfg(test)]
mod tests;
pub mod wso2_apim;

use std::sync::Arc;

pub use pattern::{any_path, folded, parse_rule};
pub use table::{BadPattern, RouteTable};

use super::upgrade::UpgradeRule;

/// Who may use a route; the stricter is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Everybody, always: public assets and whatever sign-in itself needs. No identity is looked at.
    Open,
    /// Visitors while the tenant's anonymous mode is on, otherwise users.
    Anonymous,
    /// Users only, whatever the anonymous mode.
    SignedIn,
}

impl Access {
    /// The rest of "This is …", for `explain`.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Open => "open to everybody",
            Self::Anonymous => "open to visitors while the anonymous mode is on",
            Self::SignedIn => "for users only",
        }
    }
}

/// Which kind of answer the caller of a route expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// A page: a browser that navigates there is sent to sign-in.
    Page,
    /// A REST API of WSO2's shape: refused with its JSON body, never with a redirect.
    Wso2Api,
    /// Another API: refused with `application/problem+json`.
    Api,
    /// A style sheet, a script, an image.
    Asset,
}

impl Surface {
    /// What is found there, for `explain`.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Page => "a page",
            Self::Wso2Api => "one of WSO2's APIs",
            Self::Api => "an API",
            Self::Asset => "an asset",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub access: Access,
    pub surface: Surface,
    pub upgrade: UpgradeRule,
    /// The rule that matched, as the operator (or the profile) wrote it: for logs and `explain`.
    pub rule: Arc<str>,
}

/// One rule as written: `GET /docs/**`. No method means any method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRule {
    pub methods: Vec<String>,
    /// Absolute path. `*` is one whole segment, a final `**` is any rest (also none), everything else is literal.
    pub pattern: String,
    pub access: Access,
    pub surface: Surface,
    pub upgrade: UpgradeRule,
}

impl RouteRule {
    /// A built-in rule.
    pub fn new(methods: &[&str], pattern: &str, access: Access, surface: Surface) -> Self {
        let methods = methods.iter().map(|method| (*method).to_owned()).collect();
        let upgrade = UpgradeRule::built_in(access, surface);
        Self { methods, pattern: pattern.to_owned(), access, surface, upgrade }
    }
}
