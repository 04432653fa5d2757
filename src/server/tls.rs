//! Certificates of a TLS listener: loaded, validated, replaced while connections continue.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    client::verify_server_name,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{
        ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    config::{
        certificates,
        model::{CertificateFiles, ClientAuth, TlsFiles},
    },
    domain::time::Timestamp,
};

#[derive(Debug)]
pub struct Certificates {
    resolver: Arc<CertificateResolver>,
    config: ArcSwap<ServerConfig>,
    /// The configuration requests client certificates.
    has_client_auth: AtomicBool,
}

impl Certificates {
    pub fn load(files: &TlsFiles) -> io::Result<Arc<Self>> {
        let resolver = Arc::new(CertificateResolver(ArcSwap::from_pointee(
            CertificateChains::read_certified_key(files)?,
        )));
        let config = server_config(&resolver, files.client_auth.as_ref())?;
        let has_client_auth = AtomicBool::new(files.client_auth.is_some());
        Ok(Arc::new(Self { resolver, config: ArcSwap::new(config), has_client_auth }))
    }

    /// Uses the files' new content for the next handshakes; if one of them is invalid all stay as they were.
    pub fn reload(&self, files: &TlsFiles) -> io::Result<()> {
        let chains = CertificateChains::read_certified_key(files)?;
        // without client certificates the configuration stays, and with it the sessions that clients resume
        let has_client_auth = files.client_auth.is_some();
        if has_client_auth || self.has_client_auth.load(Ordering::Relaxed) {
            self.config.store(server_config(&self.resolver, files.client_auth.as_ref())?);
            self.has_client_auth.store(has_client_auth, Ordering::Relaxed);
        }
        self.resolver.0.store(Arc::new(chains));
        Ok(())
    }

    /// The certificate files in use, and when each expires.
    pub fn expiries(&self) -> Vec<(PathBuf, Timestamp)> {
        let chains = self.resolver.0.load();
        let all = std::iter::once(&chains.first).chain(&chains.others);
        all.filter_map(|chain| Some((chain.cert_file.clone(), chain.expiry?))).collect()
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

fn server_config(
    resolver: &Arc<CertificateResolver>,
    client_auth: Option<&ClientAuth>,
) -> io::Result<Arc<ServerConfig>> {
    let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(resolver) as _;
    let builder = ServerConfig::builder();
    let builder = match client_auth {
        None => builder.with_no_client_auth(),
        Some(auth) => builder.with_client_cert_verifier(client_verifier(auth)?),
    };
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn client_verifier(auth: &ClientAuth) -> io::Result<Arc<dyn ClientCertVerifier>> {
    let with_path =
        |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", auth.ca_file.display()));
    let mut roots = RootCertStore::empty();
    for authority in read_chain(&auth.ca_file)? {
        roots.add(authority).map_err(|error| with_path(&error))?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if auth.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| with_path(&error))
}

/// Presents the certificate that matches the client's server name (SNI), or else the first.
#[derive(Debug)]
struct CertificateResolver(ArcSwap<CertificateChains>);

#[derive(Debug)]
struct CertificateChains {
    first: CertificateChain,
    others: Vec<CertificateChain>,
}

#[derive(Debug)]
struct CertificateChain {
    cert_file: PathBuf,
    key: Arc<CertifiedKey>,
    expiry: Option<Timestamp>,
}

impl CertificateChain {
    fn read(files: &CertificateFiles) -> io::Result<Self> {
        let key = read(&files.cert_file, &files.key_file)?;
        let expiry = key.cert.first().and_then(certificates::expiry);
        Ok(Self { cert_file: files.cert_file.clone(), key: Arc::new(key), expiry })
    }
}

impl CertificateChains {
    fn read_certified_key(files: &TlsFiles) -> io::Result<Self> {
        let others = files.more.iter().map(CertificateChain::read).collect::<Result<_, _>>()?;
        Ok(Self { first: CertificateChain::read(&files.certificate)?, others })
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        // most listeners have one certificate and need no look-up
        if self.others.is_empty() {
            return None;
        }
        let name = ServerName::try_from(name).ok()?;
        let mut keys = std::iter::once(&self.first).chain(&self.others).map(|chain| &chain.key);
        keys.find(|key| matches_server_name(key, &name))
    }
}

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chains = self.0.load();
        let found = hello.server_name().and_then(|name| chains.find(name));
        Some(Arc::clone(found.unwrap_or(&chains.first.key)))
    }
}

/// Verified as a client would (RFC 9525), wildcards included.
fn matches_server_name(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

fn read_chain(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_reader_iter(open(file)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
    if chain.is_empty() {
        return Err(io::Error::other(format!("{}: no certificate in this file", file.display())));
    }
    Ok(chain)
}

fn open(file: &Path) -> io::Result<BufReader<File>> {
    File::open(file)
        .map(BufReader::new)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

fn read(cert_file: &Path, key_file: &Path) -> io::Result<CertifiedKey> {
    let chain = read_chain(cert_file)?;
    let key = PrivateKeyDer::from_pem_reader(open(key_file)?)
        .map_err(|error| io::Error::other(format!("{}: {error}", key_file.display())))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| {
        io::Error::other(format!("{} and {}: {error}", cert_file.display(), key_file.display()))
    })
}
