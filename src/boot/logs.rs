//! Opens the access log and the audit log that the settings name.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;

use crate::{
    config::model,
    telemetry::{
        access_log::AccessLog,
        audit::{self, AuditLog},
        metrics::Metrics,
    },
};

/// Time the process waits at its end for a log that cannot be written.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub fn access(target: &model::AccessLogTarget, metrics: &Metrics) -> anyhow::Result<Option<Arc<AccessLog>>> {
    let lost = metrics.access_log_dropped.clone();
    Ok(match target {
        model::AccessLogTarget::Off => None,
        model::AccessLogTarget::Stdout => Some(AccessLog::stdout(lost)?),
        model::AccessLogTarget::File(path) => Some(
            AccessLog::file(path, lost)
                .with_context(|| format!("cannot write {} (log.access)", path.display()))?,
        ),
    })
}

/// Sends audit events to the target of the settings from now on.
pub fn start_audit(target: &model::AuditLogTarget, metrics: &Metrics) -> anyhow::Result<()> {
    let lost = metrics.audit_log_dropped.clone();
    let log = match target {
        model::AuditLogTarget::Off => None,
        model::AuditLogTarget::Stdout => Some(AuditLog::stdout(lost)?),
        model::AuditLogTarget::File(path) => Some(
            AuditLog::file(path, lost)
                .with_context(|| format!("cannot write {} (log.audit)", path.display()))?,
        ),
        model::AuditLogTarget::Syslog(server) => Some(AuditLog::syslog(server.clone(), lost)?),
    };
    audit::replace(log, CLOSE_TIMEOUT);
    Ok(())
}

/// The same for a command: a log to standard output is not opened, since the command's output goes there.
pub fn start_audit_of_command(target: &model::AuditLogTarget, metrics: &Metrics) -> anyhow::Result<()> {
    match target {
        model::AuditLogTarget::Stdout => Ok(()),
        target => start_audit(target, metrics),
    }
}

/// Writes the queued entries and closes the logs.
pub fn close(access: Option<Arc<AccessLog>>) {
    if let Some(log) = access {
        log.close(CLOSE_TIMEOUT);
    }
    audit::replace(None, CLOSE_TIMEOUT);
}
