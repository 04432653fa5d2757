//! Governance properties as settings: values set by files and administrators under WSO2's names.
//!
//! `file_properties` reads them from files, `tenant_overrides` holds the administrators' overrides, `governed_settings`
//! applies all of them to the typed settings.

pub mod file_properties;
pub mod governed_settings;
pub mod tenant_overrides;

pub use governed_settings::{GovernanceLayers, GovernedSettings, effective_value, rule_numbers};
pub use tenant_overrides::TenantOverrides;

#[cfg(test)]
mod tests;
