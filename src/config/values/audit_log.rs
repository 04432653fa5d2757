//! The destination of audit events.

use std::path::PathBuf;

use url::{Host, Url};

use super::address::FilePath;
use crate::{
    config::{
        model::AuditLogTarget,
        text_form::{InvalidValue, TextForm},
    },
    domain::syslog::SyslogAddress,
};

/// The socket of the syslog server of this machine.
const LOCAL_SYSLOG: &str = "/dev/log";
const UNIX: &str = "syslog+unix://";
const CA_FILE: &str = "ca_file";

impl TextForm for AuditLogTarget {
    const EXPECTED: &'static str = "\"off\", \"stdout\", the path of a file, \"syslog\" for /dev/log, \"syslog+unix:///path\", \
                                \"syslog+udp://host:514\", \"syslog+tcp://host:601\" or \"syslog+tls://host:6514\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        match written {
            "off" => Ok(Self::Off),
            "stdout" => Ok(Self::Stdout),
            "syslog" => Ok(Self::Syslog(SyslogAddress::Unix(LOCAL_SYSLOG.into()))),
            _ if written.contains("://") => server(written).map(Self::Syslog),
            path => FilePath::from_text(path).map(|path| Self::File(path.0)),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::Stdout => "stdout".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Syslog(SyslogAddress::Unix(path)) => format!("{UNIX}{}", path.display()),
            Self::Syslog(SyslogAddress::Udp { host, port }) => {
                format!("syslog+udp://{}:{port}", bracketed(host))
            }
            Self::Syslog(SyslogAddress::Tcp { host, port }) => {
                format!("syslog+tcp://{}:{port}", bracketed(host))
            }
            Self::Syslog(SyslogAddress::Tls { host, port, ca_file }) => {
                let file = ca_file.as_ref().map(|file| format!("?{CA_FILE}={}", file.display()));
                format!("syslog+tls://{}:{port}{}", bracketed(host), file.unwrap_or_default())
            }
        }
    }
}

fn server(written: &str) -> Result<SyslogAddress, InvalidValue> {
    if let Some(path) = written.strip_prefix(UNIX) {
        if !path.starts_with('/') || path.contains('\0') {
            return Err(InvalidValue::new("the path of the socket has to begin with /"));
        }
        return Ok(SyslogAddress::Unix(PathBuf::from(path)));
    }
    let url = Url::parse(written).map_err(|error| InvalidValue::because(&error))?;
    let is_tls = url.scheme() == "syslog+tls";
    let is_bare = matches!(url.path(), "" | "/")
        && (is_tls || url.query().is_none())
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let host = match url.host() {
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(host) => host.to_string(),
        None => String::new(),
    };
    let Some(port) = url.port().filter(|_| is_bare && !host.is_empty()) else {
        return Err(InvalidValue::new("only a host and a port belong behind the scheme"));
    };
    match url.scheme() {
        "syslog+udp" => Ok(SyslogAddress::Udp { host, port }),
        "syslog+tcp" => Ok(SyslogAddress::Tcp { host, port }),
        "syslog+tls" => Ok(SyslogAddress::Tls { host, port, ca_file: ca_file(&url)? }),
        scheme => Err(InvalidValue::new(format!("{scheme} is no scheme for syslog"))),
    }
}

fn ca_file(url: &Url) -> Result<Option<PathBuf>, InvalidValue> {
    let mut file = None;
    for (name, value) in url.query_pairs() {
        if name != CA_FILE || !value.starts_with('/') || file.is_some() {
            return Err(InvalidValue::new(format!(
                "only {CA_FILE}= may follow `?`, once, with a path that begins with /"
            )));
        }
        file = Some(PathBuf::from(value.into_owned()));
    }
    Ok(file)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audit_log_target_round_trips() {
        let unix = |path: &str| AuditLogTarget::Syslog(SyslogAddress::Unix(path.into()));
        let udp =
            |host: &str, port| AuditLogTarget::Syslog(SyslogAddress::Udp { host: host.to_owned(), port });
        let tcp =
            |host: &str, port| AuditLogTarget::Syslog(SyslogAddress::Tcp { host: host.to_owned(), port });
        let tls = |host: &str, ca_file: Option<&str>| {
            let (host, ca_file) = (host.to_owned(), ca_file.map(PathBuf::from));
            AuditLogTarget::Syslog(SyslogAddress::Tls { host, port: 6514, ca_file })
        };
        for (written, meant) in [
            ("off", AuditLogTarget::Off),
            ("stdout", AuditLogTarget::Stdout),
            ("audit.log", AuditLogTarget::File("audit.log".into())),
            ("syslog", unix("/dev/log")),
            ("syslog+unix:///run/doorward/log", unix("/run/doorward/log")),
            ("syslog+udp://logs.example:514", udp("logs.example", 514)),
            ("syslog+tcp://192.0.2.7:601", tcp("192.0.2.7", 601)),
            ("syslog+tcp://[2001:db8::1]:601/", tcp("2001:db8::1", 601)),
            ("syslog+tls://logs.example:6514", tls("logs.example", None)),
            (
                "syslog+tls://logs.example:6514?ca_file=/etc/logs.pem",
                tls("logs.example", Some("/etc/logs.pem")),
            ),
            ("syslog+tls://[2001:db8::1]:6514", tls("2001:db8::1", None)),
        ] {
            assert_eq!(AuditLogTarget::from_text(written), Ok(meant.clone()), "{written}");
            assert_eq!(AuditLogTarget::from_text(&meant.to_text()), Ok(meant), "{written}");
        }
        for wrong in [
            "",
            "syslog://logs.example:514",
            "https://logs.example:514",
            "syslog+tcp://logs.example",
            "syslog+tcp://:601",
            "syslog+tcp://a:b@logs.example:601",
            "syslog+udp://logs.example:514/x",
            "syslog+udp://logs.example:99999",
            "syslog+unix://run/log",
            "syslog+tcp://logs.example:601?ca_file=/etc/logs.pem",
            "syslog+tls://logs.example:6514?ca_file=logs.pem",
            "syslog+tls://logs.example:6514?ca_file=/a&ca_file=/b",
            "syslog+tls://logs.example:6514?verify=no",
        ] {
            assert!(AuditLogTarget::from_text(wrong).is_err(), "{wrong}");
        }
    }
}
