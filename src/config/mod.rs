//! Turns the operator's files (`deployment.toml`, `tenants/<domain>/tenant-conf.json`) into resolved settings
//! (`Settings`, `TenantPolicy`): checked, defaulted, compiled, immutable.

pub mod certificates;
pub mod check;
pub mod descriptors;
pub mod document;
mod document_context;
pub mod effective;
mod file_problem;
pub mod governance;
pub mod hosts;
pub mod load;
mod memory_limit;
pub mod mistake;
pub mod model;
pub mod regular_file;
pub mod resolve;
pub mod restart;
pub mod schema;
pub mod secret;
pub mod sections;
pub mod store;
pub mod tenant_file;
pub mod text_form;
pub mod values;

pub use load::environment;
pub use mistake::Mistake;
pub use model::{Settings, TenantPolicy};
pub use restart::keys_needing_restart;
