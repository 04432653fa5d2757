//! `[log]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{text::As, values::look::LogFilter};
use crate::config::model::AccessLog;

/// What is logged.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Log {
    /// How much Doorward says about itself, on standard error.
    #[schemars(extend("default" = "info"))]
    pub level: Option<As<LogFilter>>,
    /// One line of JSON a request. A file that is moved away or removed is written anew within a second, as logrotate
    /// needs it.
    #[schemars(extend("default" = "stdout"))]
    pub access: Option<As<AccessLog>>,
}
