//! Responses in WSO2's shapes. All values are texts; secrets are masked.

use serde::Serialize;

use super::{ApiProblem, ApiRequest};
use crate::{
    domain::{
        governance::{Category, Connector, ErrorCode, MASK, Property, ResolvedProperty},
        management::ManagementApi,
    },
    governance::EffectiveProperties,
};

#[derive(Serialize)]
pub struct ListedCategory {
    id: String,
    name: &'static str,
    #[serde(rename = "self")]
    address: String,
    connectors: Vec<ListedConnector>,
}

#[derive(Serialize)]
pub struct ListedConnector {
    id: String,
    #[serde(rename = "self")]
    address: String,
}

#[derive(Serialize)]
pub struct ShownCategory {
    name: &'static str,
    connectors: Vec<ShownConnector>,
}

#[derive(Serialize)]
pub struct ShownConnector {
    id: String,
    name: &'static str,
    category: &'static str,
    #[serde(rename = "friendlyName")]
    friendly_name: &'static str,
    order: u32,
    #[serde(rename = "subCategory")]
    sub_category: &'static str,
    properties: Vec<ShownProperty>,
}

#[derive(Serialize)]
pub struct ShownProperty {
    name: String,
    value: String,
    #[serde(rename = "displayName")]
    display_name: &'static str,
    description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

#[derive(Serialize)]
pub struct Meta {
    r#type: &'static str,
}

#[derive(Serialize)]
pub struct ShownPreference {
    #[serde(rename = "connector-name")]
    connector: &'static str,
    properties: Vec<NamedValue>,
}

#[derive(Serialize)]
struct NamedValue {
    name: String,
    value: String,
}

pub struct GovernanceView<'a> {
    /// Without a host; the default tenant's as in WSO2 without a tenant.
    base: String,
    values: &'a EffectiveProperties,
}

impl<'a> GovernanceView<'a> {
    pub fn new(request: &ApiRequest, values: &'a EffectiveProperties) -> Self {
        let base = if request.tenant == request.settings.tenancy.default_tenant {
            ManagementApi::Governance.path().to_owned()
        } else {
            format!("/t/{}{}", request.tenant, ManagementApi::Governance.path())
        };
        Self { base, values }
    }

    pub fn category_summary(&self, category: &Category) -> ListedCategory {
        let address = format!("{}/{}", self.base, category.id());
        ListedCategory {
            connectors: category
                .connectors
                .iter()
                .map(|connector| ListedConnector {
                    id: connector.id(),
                    address: format!("{address}/connectors/{}", connector.id()),
                })
                .collect(),
            id: category.id(),
            name: category.name,
            address,
        }
    }

    pub fn category(&self, category: &'static Category) -> ShownCategory {
        ShownCategory { name: category.name, connectors: self.connectors(category) }
    }

    pub fn connectors(&self, category: &'static Category) -> Vec<ShownConnector> {
        category.connectors.iter().map(|connector| self.connector(connector)).collect()
    }

    pub fn connector(&self, connector: &'static Connector) -> ShownConnector {
        ShownConnector {
            id: connector.id(),
            name: connector.name,
            category: connector.category,
            friendly_name: connector.friendly_name,
            order: connector.order,
            sub_category: connector.sub_category,
            properties: self
                .all_properties(connector)
                .map(|(name, property)| ShownProperty {
                    value: self.value(&name, property),
                    name,
                    display_name: property.display_name,
                    description: property.description,
                    meta: property.meta_type.map(|r#type| Meta { r#type }),
                })
                .collect(),
        }
    }

    /// `names` in the order and the spelling in which they were asked for; without them all that are no secret.
    pub fn preference(
        &self,
        connector: &'static Connector,
        names: Option<&[String]>,
    ) -> Result<ShownPreference, ApiProblem> {
        let properties = match names {
            None => self
                .all_properties(connector)
                .filter(|(_, property)| !property.is_secret())
                .map(|(name, property)| NamedValue { value: self.value(&name, property), name })
                .collect(),
            Some(names) => names
                .iter()
                .map(|asked| {
                    let known = connector.property(asked).filter(|known| !known.property.is_secret());
                    let ResolvedProperty { name, property, .. } = known
                        .ok_or_else(|| ApiProblem::governance(ErrorCode::UnsupportedProperty, &[asked]))?;
                    Ok(NamedValue { name: asked.clone(), value: self.value(&name, property) })
                })
                .collect::<Result<_, ApiProblem>>()?,
        };
        Ok(ShownPreference { connector: connector.name, properties })
    }

    /// In the order of the catalogue, then those of a numbered kind that there are.
    fn all_properties(
        &self,
        connector: &'static Connector,
    ) -> impl Iterator<Item = (String, &'static Property)> {
        let numbered = connector.numbered.into_iter().flat_map(|property| {
            self.values.rule_numbers().map(move |number| (format!("{}{number}", property.name), property))
        });
        connector.properties.iter().map(|property| (property.name.to_owned(), property)).chain(numbered)
    }

    fn value(&self, name: &str, property: &Property) -> String {
        let value = self.values.get(name);
        if property.is_secret() && !value.is_empty() { MASK.to_owned() } else { value }
    }
}
