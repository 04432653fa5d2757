//! HTTP client of the control plane: bounded, for key sets, discovery and introspection.

use std::{path::PathBuf, sync::Arc, time::Duration};

use reqwest::{
    Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use super::key_set_cache::KeySetSource;
use crate::{
    config::{model::EgressPolicy, tenant_file::ssrf_guard::is_allowed_key_url},
    domain::causes::with_sources,
};

/// A key set with hundreds of certificates is smaller than this.
const MAX_BODY: usize = 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{file}: no certificate can be read from it", file = .0.display())]
    CaFile(PathBuf),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// The control plane's clients, one for each [`EgressPolicy`].
#[derive(Debug, Clone)]
pub struct HttpClients {
    pub everywhere: Client,
    confined: Client,
    confined_or_loopback: Client,
}

impl HttpClients {
    pub const fn reaching(&self, reach: EgressPolicy) -> &Client {
        match reach {
            EgressPolicy::Unrestricted => &self.everywhere,
            EgressPolicy::Confined { loopback: false } => &self.confined,
            EgressPolicy::Confined { loopback: true } => &self.confined_or_loopback,
        }
    }
}

/// The system's roots and `ca_files`, timeouts, no proxy from the environment, and no redirects, because the address that was
/// checked must be the address that responds.
pub fn http_clients(ca_files: &[PathBuf]) -> Result<HttpClients, ClientError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    for problem in &system.errors {
        tracing::warn!(%problem, "a system certificate cannot be read");
    }
    add_files(&mut roots, ca_files)?;
    let tls = tls(roots)?;
    Ok(HttpClients {
        everywhere: build(tls.clone(), EgressPolicy::Unrestricted)?,
        confined: build(tls.clone(), EgressPolicy::Confined { loopback: false })?,
        confined_or_loopback: build(tls, EgressPolicy::Confined { loopback: true })?,
    })
}

/// A client that trusts these authorities and no other.
pub fn private_client(ca_file: PathBuf, reach: EgressPolicy) -> Result<Client, ClientError> {
    let mut roots = RootCertStore::empty();
    add_files(&mut roots, &[ca_file])?;
    build(tls(roots)?, reach)
}

fn add_files(roots: &mut RootCertStore, ca_files: &[PathBuf]) -> Result<(), ClientError> {
    for file in ca_files {
        let unreadable = || ClientError::CaFile(file.clone());
        let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<_, _>>)
            .map_err(|_| unreadable())?;
        if certificates.is_empty() {
            return Err(unreadable());
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|_| unreadable())?;
        }
    }
    Ok(())
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, ClientError> {
    Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn build(tls: ClientConfig, reach: EgressPolicy) -> Result<Client, ClientError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION")));
    Ok(match reach {
        EgressPolicy::Unrestricted => client,
        EgressPolicy::Confined { .. } => client.dns_resolver(Arc::new(ConfinedResolver(reach))),
    }
    .build()?)
}

/// Resolves names for connections to issuers of tenants' files, and omits the addresses that they may not reach. The
/// check and the connection use the same result, so a name cannot resolve to another address in between (DNS rebinding).
struct ConfinedResolver(EgressPolicy);

#[derive(Debug, thiserror::Error)]
#[error(
    "the name resolves to this machine or to a link-local address, which a tenant's issuer may not reach"
)]
struct AddressNotAllowed;

impl Resolve for ConfinedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| reach.allows_address(address.ip())).collect();
            if allowed.is_empty() {
                return Err(AddressNotAllowed.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("no answer: {}", with_sources(.0))]
    Http(#[from] reqwest::Error),
    #[error("the answer has status {0}")]
    Status(u16),
    #[error("the answer is larger than 1 MiB")]
    TooLarge,
    #[error("{0}")]
    File(#[from] std::io::Error),
    #[error("the discovery document cannot be read")]
    Discovery,
    /// Often the two differ in the final slash only. The name is logged, so it is shortened and quoted.
    #[error(
        "the discovery document is of the issuer {found:?}: write that as `issuer` if it is the right one"
    )]
    IssuerMismatch { found: String },
    #[error("jwks_uri is not an allowed address")]
    InvalidJwksUri,
}

/// The text of a key set, from its source.
pub async fn key_set(http: &Client, source: &KeySetSource) -> Result<Vec<u8>, FetchError> {
    match source {
        KeySetSource::File(path) => {
            let file = tokio::fs::File::open(path).await?;
            let mut text = Vec::new();
            file.take(MAX_BODY as u64 + 1).read_to_end(&mut text).await?;
            if text.len() > MAX_BODY { Err(FetchError::TooLarge) } else { Ok(text) }
        }
        KeySetSource::Url(url, _) => get(http, url).await,
        KeySetSource::Discovery(issuer) => {
            let document = discovery(http, issuer).await?;
            get(http, jwks_uri(issuer, &document)?.as_str()).await
        }
        KeySetSource::ConfinedDiscovery(issuer, ours, _) => {
            let document = discovery(http, issuer).await?;
            let address = jwks_uri(issuer, &document)?;
            let issuer = url::Url::parse(issuer).map_err(|_| FetchError::InvalidJwksUri)?;
            if !is_allowed_key_url(&issuer, &address, ours) {
                return Err(FetchError::InvalidJwksUri);
            }
            get(http, address.as_str()).await
        }
    }
}

async fn discovery(http: &Client, issuer: &str) -> Result<Vec<u8>, FetchError> {
    get(http, &format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))).await
}

/// The `jwks_uri` of an issuer's discovery document. The document has to be the issuer's own, to the letter
/// (OpenID Connect Discovery §4.3), and keys of an `https` issuer are not fetched in clear text.
fn jwks_uri(issuer: &str, document: &[u8]) -> Result<url::Url, FetchError> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }
    let document: Document = serde_json::from_slice(document).map_err(|_| FetchError::Discovery)?;
    if document.issuer != issuer {
        return Err(FetchError::IssuerMismatch { found: document.issuer.chars().take(200).collect() });
    }
    let address = url::Url::parse(&document.jwks_uri).map_err(|_| FetchError::InvalidJwksUri)?;
    match address.scheme() {
        "https" => {}
        "http" if issuer.starts_with("http://") => {}
        _ => return Err(FetchError::InvalidJwksUri),
    }
    Ok(address)
}

async fn get(http: &Client, url: &str) -> Result<Vec<u8>, FetchError> {
    body(http.get(url).header("accept", "application/json, application/jwk-set+json").send().await?).await
}

/// The body of a `200` response, up to the limit.
pub async fn body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    if response.status() != reqwest::StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_mismatch_names_both_issuers() {
        let document = br#"{"issuer":"https://id.example/realm/","jwks_uri":"https://id.example/keys"}"#;
        let error = jwks_uri("https://id.example/realm", document).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the discovery document is of the issuer \"https://id.example/realm/\": write that as `issuer` if it is the right one"
        );
    }

    #[test]
    fn accepts_jwks_uri_only_of_the_issuers_own_document() {
        let document = |issuer: &str, keys: &str| format!(r#"{{"issuer":"{issuer}","jwks_uri":"{keys}"}}"#);
        let issuer = "https://id.example/realm";
        for (issuer_in_document, keys, good) in [
            (issuer, "https://id.example/keys", true),
            (issuer, "https://keys.example.net/certs", true),
            ("https://id.example/realm/", "https://id.example/keys", false),
            ("https://ID.example/realm", "https://id.example/keys", false),
            ("https://evil.example/realm", "https://id.example/keys", false),
            (issuer, "http://id.example/keys", false),
            (issuer, "file:///etc/passwd", false),
            (issuer, "/keys", false),
        ] {
            let found = jwks_uri(issuer, document(issuer_in_document, keys).as_bytes());
            assert_eq!(found.is_ok(), good, "{issuer_in_document} {keys}");
        }
        assert!(jwks_uri(issuer, b"<html>").is_err());
    }

    #[tokio::test]
    async fn error_names_the_cause_of_a_failed_connection() {
        let unused_address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = http_clients(&[]).unwrap().everywhere;
        let message = get(&client, &format!("http://{unused_address}/keys")).await.unwrap_err().to_string();
        assert!(message.starts_with("no answer: ") && message.contains("refused"), "{message}");
    }

    #[test]
    fn rejects_ca_file_without_certificate() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        for path in [empty.path().to_owned(), PathBuf::from("/nowhere/ca.pem")] {
            assert!(matches!(http_clients(&[path]), Err(ClientError::CaFile(_))));
        }
    }
}
