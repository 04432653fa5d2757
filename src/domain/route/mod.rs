//! Routes: the kind and the access level of each path of the portal.

mod automaton;
pub mod generic;
mod pattern;
pub mod table;
#[cfg(test)]
mod tests;
pub mod wso2_apim;

use std::sync::Arc;

pub use pattern::{any_path, folded, parse_rule};
pub use table::{InvalidRoutePattern, RouteTable};

use super::upgrade::UpgradeRule;

/// The access level of a route; a stricter level is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    /// All requests: public assets, and the paths that sign-in needs. The identity is not determined.
    Open,
    /// Anonymous requests while the tenant's anonymous mode is on, otherwise authenticated users.
    Anonymous,
    /// Authenticated users only, independently of the anonymous mode.
    SignedIn,
}

impl AccessLevel {
    /// The rest of "This is …", for `explain`.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Open => "open to all requests",
            Self::Anonymous => "open to anonymous requests while the anonymous mode is on",
            Self::SignedIn => "for authenticated users only",
        }
    }
}

/// The kind of response that the caller of a route expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// A page: a navigation is redirected to sign-in.
    Page,
    /// A WSO2 REST API: rejected with its JSON error body, never with a redirect.
    Wso2Api,
    /// Another API: rejected with `application/problem+json`.
    Api,
    /// A style sheet, a script, an image.
    Asset,
}

impl RouteKind {
    /// A description of the kind, for `explain`.
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
    pub access: AccessLevel,
    pub kind: RouteKind,
    pub upgrade: UpgradeRule,
    /// The matching rule as configured (or from the profile), for logs and `explain`.
    pub rule: Arc<str>,
}

/// One rule as written: `GET /docs/**`. An empty list of methods means any method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRule {
    pub methods: Vec<String>,
    /// Absolute path. `*` is one whole segment, a final `**` is any rest (also none), everything else is literal.
    pub pattern: String,
    pub access: AccessLevel,
    pub kind: RouteKind,
    pub upgrade: UpgradeRule,
}

impl RouteRule {
    /// A built-in rule.
    pub fn new(methods: &[&str], pattern: &str, access: AccessLevel, kind: RouteKind) -> Self {
        let methods = methods.iter().map(|method| (*method).to_owned()).collect();
        let upgrade = UpgradeRule::built_in(access, kind);
        Self { methods, pattern: pattern.to_owned(), access, kind, upgrade }
    }
}
