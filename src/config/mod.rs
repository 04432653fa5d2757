//! What the operator wrote (`deployment.toml`, `tenants/<domain>/tenant-conf.json`) becomes what is meant
//! (`Settings`, `TenantPolicy`): checked, defaulted, compiled, immutable.

pub mod check;
pub mod directory;
pub mod hosts;
pub mod load;
pub mod mistake;
pub mod model;
pub mod secret;
pub mod tenant_file;
pub mod watch;

pub use directory::TenantDirectory;
pub use mistake::Mistake;
pub use model::{Settings, TenantPolicy};
