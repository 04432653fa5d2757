//! `[log]`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        certificates::read_certificates, document::KeyPath, document_context::DocumentContext,
        text_form::AsText, values::appearance::LogFilter,
    },
    domain::syslog::SyslogAddress,
};

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `tracing` filter: `info`, `doorward=debug`.
    pub level: String,
    pub access: AccessLogTarget,
    pub audit: AuditLogTarget,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    Off,
    Stdout,
    File(PathBuf),
}

/// Where audit events go beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditLogTarget {
    Off,
    Stdout,
    File(PathBuf),
    Syslog(SyslogAddress),
}

impl LogSection {
    pub fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> LogSettings {
        LogSettings {
            level: self.level.map_or_else(|| "info".to_owned(), |level| level.0.0),
            access: match self.access {
                None => AccessLogTarget::Stdout,
                Some(AsText(AccessLogTarget::File(path))) => {
                    AccessLogTarget::File(scope.resolve_path(&key.name("access"), &path))
                }
                Some(AsText(access)) => access,
            },
            audit: match self.audit {
                None => AuditLogTarget::Off,
                Some(AsText(AuditLogTarget::File(path))) => {
                    AuditLogTarget::File(scope.resolve_path(&key.name("audit"), &path))
                }
                Some(AsText(audit)) => {
                    check_syslog_authorities(&audit, &key.name("audit"), scope);
                    audit
                }
            },
        }
    }
}

/// Checks the `ca_file` of a syslog server. Without a CA certificate no event could be sent, so such a file is a mistake.
fn check_syslog_authorities(audit: &AuditLogTarget, key: &KeyPath, scope: &mut DocumentContext<'_>) {
    if let AuditLogTarget::Syslog(SyslogAddress::Tls { ca_file: Some(file), .. }) = audit
        && let Err(problem) = read_certificates(file)
    {
        let remedy = "write the path of a file with the server's CA certificates after ca_file=";
        scope.mistake(key, format!("{}: {problem}", file.display()), remedy);
    }
}

impl From<&LogSettings> for LogSection {
    fn from(log: &LogSettings) -> Self {
        Self {
            level: Some(AsText(LogFilter(log.level.clone()))),
            access: Some(AsText(log.access.clone())),
            audit: Some(AsText(log.audit.clone())),
        }
    }
}
