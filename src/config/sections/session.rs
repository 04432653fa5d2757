//! `[session]`, and `session` of a tenant's file

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{text_form::AsText, values::duration::Positive};

/// Session lifetimes.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct SessionSection {
    /// A session that is not used this long has ended; at least 2m.
    #[schemars(extend("default" = "1h", "x-source" = "NIST SP 800-63B-4 §2.2.3"))]
    pub idle_timeout: Option<AsText<Positive>>,
    /// However much it is used, a session ends this long after sign-in.
    #[schemars(extend("default" = "24h", "x-source" = "NIST SP 800-63B-4 §2.2.3"))]
    pub lifetime: Option<AsText<Positive>>,
    /// Sessions of one account at a time, 1 to 1000: one more ends the one that was used longest ago.
    #[schemars(extend("default" = 20))]
    pub max_per_account: Option<u32>,
}
