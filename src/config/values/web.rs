//! URLs and origins.

use std::{net::IpAddr, path::PathBuf};

use url::{Host, Url};

use crate::config::text_form::{InvalidValue, TextForm};

/// Scheme, host and port of a web site, as browsers write it in `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(pub Url);

impl WebOrigin {
    pub fn serialized(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl TextForm for WebOrigin {
    const EXPECTED: &'static str = "an origin such as \"https://portal.example.com\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if written == "*" {
            return Err(InvalidValue::new("`*` would let every web site in"));
        }
        let url = web_url(written)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(InvalidValue::new(format!(
                "{written:?} has a path; an origin ends after the host or port"
            )));
        }
        Ok(Self(url))
    }

    fn to_text(&self) -> String {
        self.serialized()
    }
}

/// Where a portal listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortalUrl {
    Http { host: String, port: u16 },
    Https { host: String, port: u16 },
    Unix(PathBuf),
}

impl TextForm for PortalUrl {
    const EXPECTED: &'static str = "\"http://host:port\", \"https://host:port\" or \"unix:/path\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if let Some(path) = written.strip_prefix("unix:") {
            return if path.starts_with('/') && !path.starts_with("//") && !path.contains('\0') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(InvalidValue::new(format!("{written:?} needs an absolute path after `unix:`")))
            };
        }
        let url = web_url(written)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(InvalidValue::new(format!(
                "{written:?} has a path; paths are forwarded as they are"
            )));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Err(InvalidValue::new(format!("{written:?} has no host"))),
        };
        let port = url
            .port_or_known_default()
            .ok_or_else(|| InvalidValue::new(format!("{written:?} has no port")))?;
        if port == 0 {
            return Err(InvalidValue::new("port 0 cannot be connected to"));
        }
        Ok(if url.scheme() == "https" { Self::Https { host, port } } else { Self::Http { host, port } })
    }

    fn to_text(&self) -> String {
        let bracketed = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        match self {
            Self::Http { host, port } => format!("http://{}:{port}", bracketed(host)),
            Self::Https { host, port } => format!("https://{}:{port}", bracketed(host)),
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

/// Where keys or secrets travel: `https`, or `http` to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecureUrl(pub String);

impl TextForm for SecureUrl {
    const EXPECTED: &'static str = "an https:// URL (http:// only to this machine)";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let url = web_url(written)?;
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(InvalidValue::new(format!("{written:?} would travel in clear text")));
        }
        Ok(Self(written.to_owned()))
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// An absolute URL with a host and nothing that does not belong into a configuration.
pub fn web_url(written: &str) -> Result<Url, InvalidValue> {
    if written.bytes().any(|b| b.is_ascii_control() || b == b' ' || b == b'\\') {
        return Err(InvalidValue::new(format!(
            "{written:?} has a blank, a control character or a backslash in it"
        )));
    }
    let url = Url::parse(written)
        .map_err(|error| InvalidValue::new(format!("{written:?} is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvalidValue::new(format!("{written:?} is neither http:// nor https://")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // not repeated: it may hold a password
        return Err(InvalidValue::new("a URL must not hold a user name or password"));
    }
    if url.fragment().is_some() {
        return Err(InvalidValue::new(format!("{written:?} has a fragment (`#`)")));
    }
    Ok(url)
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_has_no_path_and_no_user() {
        for (written, shown) in [
            ("https://portal.example.com", "https://portal.example.com"),
            ("https://Portal.Example.com:443/", "https://portal.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(WebOrigin::from_text(written).unwrap().to_text(), shown);
        }
        for written in [
            "*",
            "null",
            "portal.example.com",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "ftp://a",
            "https://u:p@a",
            "https://",
            "javascript:alert(1)",
            "https://a\\b",
            "https://a b",
        ] {
            assert!(WebOrigin::from_text(written).is_err(), "{written:?}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        assert!(!SecureUrl::from_text("https://u:geheim@a").unwrap_err().to_string().contains("geheim"));
    }

    #[test]
    fn secrets_do_not_travel_in_clear_text() {
        for written in
            ["https://idp.example.com/x", "http://localhost:1/x", "http://127.9.9.9/", "http://[::1]/"]
        {
            assert!(SecureUrl::from_text(written).is_ok(), "{written}");
        }
        for written in ["http://idp.example.com/x", "http://localhost.example.com/", "http://10.0.0.1/"] {
            assert!(SecureUrl::from_text(written).is_err(), "{written}");
        }
    }

    #[test]
    fn portal_address_has_no_path() {
        for written in
            ["http://127.0.0.1:3000", "https://[::1]:9443", "https://portal:443", "unix:/run/p.sock"]
        {
            assert_eq!(PortalUrl::from_text(written).unwrap().to_text(), written);
        }
        for written in ["http://a/base", "unix:run/p", "unix://run/p", "a:80", "http://a:0", "http://a?x"] {
            assert!(PortalUrl::from_text(written).is_err(), "{written}");
        }
    }
}
