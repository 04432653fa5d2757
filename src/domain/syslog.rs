//! The address of a syslog server.

use std::{fmt, path::PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    Unix(PathBuf),
    Udp {
        host: String,
        port: u16,
    },
    Tcp {
        host: String,
        port: u16,
    },
    /// Verified by the authorities in the file, or by those of the system.
    Tls {
        host: String,
        port: u16,
        ca_file: Option<PathBuf>,
    },
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Udp { host, port } => write!(f, "udp {host}:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp {host}:{port}"),
            Self::Tls { host, port, .. } => write!(f, "tls {host}:{port}"),
        }
    }
}
