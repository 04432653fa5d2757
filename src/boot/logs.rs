//! Opens the access log and the audit log that the settings name.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;

use crate::{
    config::model,
    telemetry::{
        access_log::AccessLog,
        audit::{self, AuditLog, SyslogAddress},
        metrics::Metrics,
    },
};

/// How long the process waits at its end for a log that cannot be written.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn access(target: &model::AccessLog, metrics: &Metrics) -> anyhow::Result<Option<Arc<AccessLog>>> {
    let lost = metrics.access_log_dropped.clone();
    Ok(match target {
        model::AccessLog::Off => None,
        model::AccessLog::Stdout => Some(AccessLog::stdout(lost)?),
        model::AccessLog::File(path) => Some(
            AccessLog::file(path, lost)
                .with_context(|| format!("cannot write {} (log.access)", path.display()))?,
        ),
    })
}

/// From here on audit events go where the settings say.
pub fn start_audit(target: &model::AuditLog, metrics: &Metrics) -> anyhow::Result<()> {
    let lost = metrics.audit_log_dropped.clone();
    let log = match target {
        model::AuditLog::Off => None,
        model::AuditLog::Stdout => Some(AuditLog::stdout(lost)?),
        model::AuditLog::File(path) => Some(
            AuditLog::file(path, lost)
                .with_context(|| format!("cannot write {} (log.audit)", path.display()))?,
        ),
        model::AuditLog::Syslog(server) => Some(AuditLog::syslog(address(server), lost)?),
    };
    audit::replace(log, PATIENCE);
    Ok(())
}

/// The same for a command, whose standard output is its own.
pub fn start_audit_of_command(target: &model::AuditLog, metrics: &Metrics) -> anyhow::Result<()> {
    match target {
        model::AuditLog::Stdout => Ok(()),
        target => start_audit(target, metrics),
    }
}

/// Writes what waits.
pub fn close(access: Option<Arc<AccessLog>>) {
    if let Some(log) = access {
        log.close(PATIENCE);
    }
    audit::replace(None, PATIENCE);
}

fn address(server: &model::SyslogServer) -> SyslogAddress {
    match server {
        model::SyslogServer::Unix(path) => SyslogAddress::Unix(path.clone()),
        model::SyslogServer::Udp { host, port } => SyslogAddress::Udp { host: host.clone(), port: *port },
        model::SyslogServer::Tcp { host, port } => SyslogAddress::Tcp { host: host.clone(), port: *port },
        model::SyslogServer::Tls { host, port, ca_file } => {
            SyslogAddress::Tls { host: host.clone(), port: *port, ca_file: ca_file.clone() }
        }
    }
}
