//! `[log]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::model::{AccessLogTarget, AuditLogTarget};
use crate::config::{text_form::AsText, values::appearance::LogFilter};

/// Logging.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct LogSection {
    /// Level of the application log on standard error.
    #[schemars(extend("default" = "info"))]
    pub level: Option<AsText<LogFilter>>,
    /// One line of JSON a request. A file that is moved away or removed is written anew within a second, as logrotate
    /// needs it.
    #[schemars(extend("default" = "stdout"))]
    pub access: Option<AsText<AccessLogTarget>>,
    /// Where audit events (sign-ins, lockouts, begin and end of sessions, changes by administrators) are written beside the
    /// log: one line of JSON each, or with a syslog server one message (RFC 5424) with that JSON.
    #[schemars(extend("default" = "off", "x-source" = "RFC 5424, RFC 6587"))]
    pub audit: Option<AsText<AuditLogTarget>>,
}
