//! SSRF protection: the URLs of tenants' issuers must not reach services that trust requests from this machine.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use url::{Host, Url};

use crate::config::{
    model::{EgressPolicy, Issuer, KeySource, Settings},
    values::web::is_loopback,
};

/// The addresses of the private port and the management port.
pub fn private_ports(settings: &Settings) -> Arc<[SocketAddr]> {
    settings.admin.listen.into_iter().chain(settings.management.listen).collect()
}

/// Why an address of this issuer is forbidden.
pub fn forbidden_reason(settings: &Settings, ours: &[SocketAddr], issuer: &Issuer) -> Option<&'static str> {
    let keys = match &issuer.keys {
        KeySource::Url(url) => Some(url.as_str()),
        KeySource::Discovery | KeySource::ConfinedDiscovery(_) => Some(issuer.issuer.as_str()),
        KeySource::None | KeySource::File(_) => None,
    };
    let introspection_url = issuer.introspection.as_ref().map(|introspection| introspection.url.as_str());
    let urls = [keys, introspection_url].into_iter().flatten().filter_map(|url| Url::parse(url).ok());
    urls.map(|url| {
        if is_private_port(&url, ours) {
            Some("at Doorward's own private port or management port")
        } else if is_this_machine(&url) && !settings.tenancy.issuers_on_loopback {
            Some("on this machine, which tenancy.issuers_on_loopback does not allow")
        } else if is_link_local(&url) {
            Some("a link-local address, or one of a cloud's metadata service")
        } else {
            None
        }
    })
    .find_map(std::convert::identity)
}

/// Whether keys may be read at `keys`, an address out of the discovery document of a tenant's `issuer`. A document can name
/// anything, so it leads to this machine only where the issuer itself is, at the issuer's own port.
pub fn is_allowed_key_url(issuer: &Url, keys: &Url, ours: &[SocketAddr]) -> bool {
    if is_private_port(keys, ours) {
        return false;
    }
    let port = Url::port_or_known_default;
    match keys.scheme() {
        _ if is_link_local(keys) => false,
        "https" if !is_this_machine(keys) => true,
        "https" | "http" => {
            is_this_machine(keys)
                && is_loopback(issuer)
                && issuer.scheme() == keys.scheme()
                && port(issuer) == port(keys)
        }
        _ => false,
    }
}

fn is_private_port(url: &Url, ours: &[SocketAddr]) -> bool {
    ours.iter().any(|at| {
        url.port_or_known_default() == Some(at.port())
            && (is_this_machine(url) || address(url) == Some(at.ip().to_canonical()))
    })
}

/// Loopback, and what systems take for it.
fn is_this_machine(url: &Url) -> bool {
    is_loopback(url)
        || address(url).is_some_and(|ip| ip.is_unspecified())
        || url.host_str().is_some_and(|name| {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        })
}

/// Whether the URL has a link-local address. The addresses of a name are checked for each connection.
fn is_link_local(url: &Url) -> bool {
    address(url).is_some_and(|ip| !EgressPolicy::Confined { loopback: true }.allows_address(ip))
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip).to_canonical()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_ssrf_by_a_discovery_document() {
        let ours = ["127.0.0.1:9901".parse().unwrap(), "10.0.0.1:9443".parse().unwrap()];
        let here = "http://127.0.0.1:8080/realm";
        let away = "https://id.example/realm";
        for (issuer, keys, good) in [
            (away, "https://id.example/keys", true),
            (away, "https://keys.example.net/certs", true),
            (away, "http://id.example/keys", false),
            (away, "https://127.0.0.1:9200/", false),
            (away, "https://localhost./", false),
            (away, "https://0.0.0.0/", false),
            (away, "https://10.0.0.1:9443/api", false),
            (away, "https://169.254.169.254/latest/meta-data", false),
            (away, "https://[fe80::1]/keys", false),
            (away, "https://[::ffff:169.254.169.254]/keys", false),
            (away, "https://10.0.0.1:9444/keys", true),
            (away, "file:///etc/passwd", false),
            (here, "http://127.0.0.1:8080/keys", true),
            (here, "http://localhost:8080/keys", true),
            (here, "http://127.0.0.1:8081/keys", false),
            (here, "http://127.0.0.1:9901/drain", false),
            (here, "http://169.254.169.254:8080/latest/meta-data", false),
            (here, "http://10.0.0.7/", false),
            (here, "https://keys.example.net/certs", true),
            ("http://127.0.0.1:9901/realm", "http://127.0.0.1:9901/drain", false),
        ] {
            let [issuer_url, keys_url] = [issuer, keys].map(|url| Url::parse(url).unwrap());
            assert_eq!(is_allowed_key_url(&issuer_url, &keys_url, &ours), good, "{issuer} {keys}");
        }
    }
}
