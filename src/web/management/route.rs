//! What can be asked for: method and path, the scope it needs, whether it changes anything. A table, and the OpenAPI
//! document is held against it.

use http::{HeaderValue, Method, StatusCode, header};

use super::{error::Problem, principal::Scope};
use crate::domain::management::{Api, target};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    ShowTenantConfig,
    ReplaceTenantConfig,
    ShowTenantConfigSchema,
    ListCategories,
    /// By the category's id.
    ShowCategory(String),
    ListConnectors(String),
    ChangeConnectors(String),
    Revert(String),
    /// By the ids of category and connector.
    ShowConnector(String, String),
    ChangeConnector(String, String),
    Preferences,
}

impl Action {
    pub fn find(method: &Method, path: &str) -> Result<Self, Problem> {
        let nothing = || {
            Problem::new(StatusCode::NOT_FOUND, "Resource not found.", "There is nothing at this address.")
        };
        let (api, below) = target(path).ok_or_else(nothing)?;
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let at_path: Vec<(Method, Self)> = match (api, below.as_slice()) {
            (Api::TenantConfig, []) => {
                vec![(Method::GET, Self::ShowTenantConfig), (Method::PUT, Self::ReplaceTenantConfig)]
            }
            (Api::TenantConfigSchema, []) => vec![(Method::GET, Self::ShowTenantConfigSchema)],
            (Api::Governance, []) => vec![(Method::GET, Self::ListCategories)],
            (Api::Governance, ["preferences"]) => vec![(Method::POST, Self::Preferences)],
            (Api::Governance, [category]) => {
                vec![(Method::GET, Self::ShowCategory((*category).to_owned()))]
            }
            (Api::Governance, [category, "connectors"]) => vec![
                (Method::GET, Self::ListConnectors((*category).to_owned())),
                (Method::PATCH, Self::ChangeConnectors((*category).to_owned())),
            ],
            (Api::Governance, [category, "connectors", "revert"]) => {
                vec![(Method::POST, Self::Revert((*category).to_owned()))]
            }
            (Api::Governance, [category, "connectors", connector]) => {
                let (category, connector) = ((*category).to_owned(), (*connector).to_owned());
                vec![
                    (Method::GET, Self::ShowConnector(category.clone(), connector.clone())),
                    (Method::PATCH, Self::ChangeConnector(category, connector)),
                ]
            }
            _ => return Err(nothing()),
        };
        let allowed: Vec<&str> = at_path
            .iter()
            .flat_map(|(method, _)| {
                [Some(method.as_str()), (method == Method::GET).then_some("HEAD")].into_iter().flatten()
            })
            .collect();
        let allowed = allowed.join(", ");
        let found = at_path.into_iter().find(|(known, _)| known == method).map(|(_, action)| action);
        found.ok_or_else(|| {
            let problem = Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed.",
                format!("Only {allowed} work here."),
            );
            match HeaderValue::try_from(allowed) {
                Ok(allowed) => problem.with(header::ALLOW, allowed),
                Err(_) => problem,
            }
        })
    }

    pub fn scope(&self) -> Scope {
        match self {
            Self::ShowTenantConfig | Self::ReplaceTenantConfig | Self::ShowTenantConfigSchema => {
                Scope::Configure
            }
            Self::ListCategories
            | Self::ShowCategory(_)
            | Self::ListConnectors(_)
            | Self::ShowConnector(..) => Scope::View,
            Self::ChangeConnectors(_) | Self::Revert(_) | Self::ChangeConnector(..) => Scope::Update,
            Self::Preferences => Scope::Login,
        }
    }

    pub fn changes(&self) -> bool {
        matches!(
            self,
            Self::ReplaceTenantConfig
                | Self::ChangeConnectors(_)
                | Self::Revert(_)
                | Self::ChangeConnector(..)
        )
    }

    /// Without a tenant's name it is about the caller's own tenant.
    pub fn is_of_caller(&self) -> bool {
        matches!(self, Self::ShowTenantConfig | Self::ReplaceTenantConfig | Self::ShowTenantConfigSchema)
    }
}
