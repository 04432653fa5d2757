//! The audit log: sign-ins, lockouts, sessions that begin and end, and what administrators change, sent to a file or a syslog
//! server beside the log.
//!
//! Events are those of `tracing` with the target [`AUDIT_TARGET`]; each has an `action`, a stable name for programs that does not
//! change with its text.

mod layer;
mod line;

use std::{io, path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;

pub use self::layer::AuditLayer;
use self::line::AuditLine;
use super::{
    log_writer::{self, Encode, LogWriter},
    metrics::Count,
};
use crate::domain::syslog::SyslogAddress;

/// The target of audit events.
pub const AUDIT_TARGET: &str = "doorward::audit";

/// Target of audit events in this process: one, as `tracing` has one subscriber.
static CURRENT: ArcSwapOption<AuditLog> = ArcSwapOption::const_empty();

pub struct AuditLog(LogWriter<AuditLine>);

impl AuditLog {
    /// `lost` counts the events that could not be written.
    pub fn stdout(lost: Count) -> io::Result<Self> {
        Self::start(log_writer::stdout()?, Box::new(line::as_json_line), lost)
    }

    pub fn file(path: &Path, lost: Count) -> io::Result<Self> {
        Self::start(log_writer::file(path)?, Box::new(line::as_json_line), lost)
    }

    /// An unreachable server is no error: events are queued for it.
    pub fn syslog(address: SyslogAddress, lost: Count) -> io::Result<Self> {
        let origin = line::SyslogOrigin::of_this_process();
        let encode: Encode<AuditLine> = match address {
            SyslogAddress::Tcp { .. } | SyslogAddress::Tls { .. } => {
                Box::new(move |line, out| line::as_counted_syslog(line, &origin, out))
            }
            SyslogAddress::Unix(_) | SyslogAddress::Udp { .. } => {
                Box::new(move |line, out| line::as_syslog(line, &origin, out))
            }
        };
        Self::start(log_writer::syslog(address), encode, lost)
    }

    fn start(
        target: Box<dyn log_writer::LogTarget>,
        encode: Encode<AuditLine>,
        lost: Count,
    ) -> io::Result<Self> {
        Ok(Self(LogWriter::start("audit log", target, encode, lost)?))
    }
}

/// Replaces the audit log by `log`. The previous log writes its waiting events for at most `timeout`; the remaining ones
/// go to `log`.
pub fn replace(log: Option<AuditLog>, timeout: Duration) {
    let log = log.map(Arc::new);
    let Some(old) = CURRENT.swap(log.clone()) else { return };
    match log {
        Some(log) => old.0.hand_over(timeout).into_iter().for_each(|event| log.0.write(event)),
        None => old.0.close(timeout),
    }
}
