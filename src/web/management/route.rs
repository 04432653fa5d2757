//! The actions of the API: method and path, required scope, whether it is a change. A table, and the OpenAPI
//! document is held against it.

use http::{HeaderValue, Method, StatusCode, header};

use super::{error::ApiProblem, principal::ApiScope};
use crate::domain::management::{ManagementApi, match_path};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiAction {
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

impl ApiAction {
    pub fn find(method: &Method, path: &str) -> Result<Self, ApiProblem> {
        let nothing = || {
            ApiProblem::new(StatusCode::NOT_FOUND, "Resource not found.", "There is nothing at this address.")
        };
        let (api, below) = match_path(path).ok_or_else(nothing)?;
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let at_path: Vec<(Method, Self)> = match (api, below.as_slice()) {
            (ManagementApi::TenantConfig, []) => {
                vec![(Method::GET, Self::ShowTenantConfig), (Method::PUT, Self::ReplaceTenantConfig)]
            }
            (ManagementApi::TenantConfigSchema, []) => vec![(Method::GET, Self::ShowTenantConfigSchema)],
            (ManagementApi::Governance, []) => vec![(Method::GET, Self::ListCategories)],
            (ManagementApi::Governance, ["preferences"]) => vec![(Method::POST, Self::Preferences)],
            (ManagementApi::Governance, [category]) => {
                vec![(Method::GET, Self::ShowCategory((*category).to_owned()))]
            }
            (ManagementApi::Governance, [category, "connectors"]) => vec![
                (Method::GET, Self::ListConnectors((*category).to_owned())),
                (Method::PATCH, Self::ChangeConnectors((*category).to_owned())),
            ],
            (ManagementApi::Governance, [category, "connectors", "revert"]) => {
                vec![(Method::POST, Self::Revert((*category).to_owned()))]
            }
            (ManagementApi::Governance, [category, "connectors", connector]) => {
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
            let problem = ApiProblem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed.",
                format!("Only {allowed} work here."),
            );
            match HeaderValue::try_from(allowed) {
                Ok(allowed) => problem.with_header(header::ALLOW, allowed),
                Err(_) => problem,
            }
        })
    }

    pub fn required_scope(&self) -> ApiScope {
        match self {
            Self::ShowTenantConfig | Self::ReplaceTenantConfig | Self::ShowTenantConfigSchema => {
                ApiScope::Configure
            }
            Self::ListCategories
            | Self::ShowCategory(_)
            | Self::ListConnectors(_)
            | Self::ShowConnector(..) => ApiScope::View,
            Self::ChangeConnectors(_) | Self::Revert(_) | Self::ChangeConnector(..) => ApiScope::Update,
            Self::Preferences => ApiScope::Login,
        }
    }

    pub fn is_change(&self) -> bool {
        matches!(
            self,
            Self::ReplaceTenantConfig
                | Self::ChangeConnectors(_)
                | Self::Revert(_)
                | Self::ChangeConnector(..)
        )
    }

    /// Without a tenant's name it is about the caller's own tenant.
    pub fn is_about_callers_tenant(&self) -> bool {
        matches!(self, Self::ShowTenantConfig | Self::ReplaceTenantConfig | Self::ShowTenantConfigSchema)
    }
}
