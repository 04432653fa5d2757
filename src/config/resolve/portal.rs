//! `[portal]`: its upstreams, longest path first

use std::sync::Arc;

use crate::config::{
    document::KeyPath,
    document_context::DocumentContext,
    model::{HeaderProfile, PortalProfile, PortalSettings, Upstream, UpstreamTarget},
    sections,
    values::duration::positive_or,
    values::web::PortalUrl,
};

/// More than this a machine has no ports for.
const MAX_CONNECTIONS: u32 = 1_000_000;

impl PortalProfile {
    /// The default of this profile.
    pub(super) const fn identity_headers(self) -> HeaderProfile {
        match self {
            Self::Wso2Apim => HeaderProfile::Wso2,
            Self::Generic => HeaderProfile::OAuth2Proxy,
        }
    }
}

impl From<sections::portal::PortalProfileName> for PortalProfile {
    fn from(raw: sections::portal::PortalProfileName) -> Self {
        match raw {
            sections::portal::PortalProfileName::Wso2Apim => Self::Wso2Apim,
            sections::portal::PortalProfileName::Generic => Self::Generic,
        }
    }
}

pub fn portal(
    raw: sections::portal::PortalSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> PortalSettings {
    let key = key.name("upstream");
    let mut upstreams: Vec<Arc<Upstream>> = Vec::new();
    for (index, raw) in raw.upstream.unwrap_or_default().into_iter().enumerate() {
        let key = key.item(index);
        let Some(upstream) = upstream(raw, &key, scope) else { continue };
        if upstreams.iter().any(|other| other.path == upstream.path) {
            let message = format!("there are two upstreams with the path {:?}", upstream.path);
            scope.mistake(&key.name("path"), message, "remove one, or give it another path");
        } else {
            upstreams.push(Arc::new(upstream));
        }
    }
    if upstreams.is_empty() {
        let remedy =
            "add [[portal.upstream]] with url = \"http://127.0.0.1:3000\", or wherever the portal listens";
        scope.mistake(&key, "there is no portal to forward to", remedy);
    } else if !upstreams.iter().any(|upstream| upstream.path == "/") {
        scope.mistake(&key, "no upstream has the path \"/\"", "add one for all other requests");
    }
    upstreams.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then_with(|| a.path.cmp(&b.path)));
    PortalSettings { profile: raw.profile.unwrap_or_default().into(), upstreams }
}

fn upstream(
    raw: sections::portal::UpstreamSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<Upstream> {
    let url = scope.required(&key.name("url"), raw.url, "write where the portal listens");
    for (name, value) in [
        ("ca_file", &raw.ca_file),
        ("client_cert_file", &raw.client_cert_file),
        ("client_key_file", &raw.client_key_file),
    ] {
        if value.is_some() && url.as_ref().is_some_and(|url| !matches!(url, PortalUrl::Https { .. })) {
            scope.mistake(
                &key.name(name),
                "this has no effect: the URL is not https://",
                "remove it, or use https://",
            );
        }
    }
    if raw.client_cert_file.is_some() != raw.client_key_file.is_some() {
        let missing = if raw.client_key_file.is_some() { "client_cert_file" } else { "client_key_file" };
        scope.mistake(
            &key.name(missing),
            "certificate and key belong together",
            "write both keys, or neither",
        );
    }
    let host = raw.host.map(|host| host.0.0);
    if let Some(host) = &host {
        let authority = host.parse::<http::uri::Authority>();
        if !authority.is_ok_and(|authority| !authority.as_str().contains('@')) {
            scope.mistake(
                &key.name("host"),
                format!("{host:?} is not a host name"),
                "write a host, with or without port",
            );
        }
    }
    let max_connections = raw.max_connections.unwrap_or(1024);
    if !(1..=MAX_CONNECTIONS).contains(&max_connections) {
        scope.mistake(
            &key.name("max_connections"),
            format!("{max_connections} is out of range"),
            &format!("write a number from 1 to {MAX_CONNECTIONS}"),
        );
    }
    let max_connections = usize::try_from(max_connections).unwrap_or(usize::MAX);
    let ca_file = scope.optional_path(&key.name("ca_file"), raw.ca_file);
    let client_cert_file = scope.optional_path(&key.name("client_cert_file"), raw.client_cert_file);
    let client_key_file = scope.optional_path(&key.name("client_key_file"), raw.client_key_file);
    Some(Upstream {
        path: raw.path.map_or_else(|| "/".to_owned(), |path| path.0.0),
        target: match url? {
            PortalUrl::Http { host, port } => UpstreamTarget::Tcp { host, port },
            PortalUrl::Https { host, port } => {
                UpstreamTarget::Tls { host, port, ca_file, client_cert_file, client_key_file }
            }
            PortalUrl::Unix(path) => UpstreamTarget::Unix { path },
        },
        http2: raw.http2.unwrap_or(false),
        host,
        max_connections,
        connect_timeout: positive_or(raw.connect_timeout, 2),
        header_timeout: positive_or(raw.header_timeout, 60),
        idle_timeout: positive_or(raw.idle_timeout, 300),
        keep_alive: positive_or(raw.keep_alive, 4),
    })
}
