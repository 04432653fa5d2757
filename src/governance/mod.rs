//! Use cases of administrators: governance overrides of tenants, and audit records of changes outside of the store.

mod audit_trail;
mod effective_properties;
mod governance_service;
mod pending_refresh;

pub use self::{
    audit_trail::AuditTrail,
    effective_properties::EffectiveProperties,
    governance_service::{GovernanceService, GovernanceServiceError},
};
