//! Our certificate: read, checked, replaced while connections go on.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<CertifiedKey>,
}

impl Certificates {
    pub fn load(cert_file: &Path, key_file: &Path) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(read(cert_file, key_file)?) }))
    }

    /// Takes the files' new content for the next handshakes; on a mistake the old one stays.
    pub fn reload(&self, cert_file: &Path, key_file: &Path) -> io::Result<()> {
        self.current.store(Arc::new(read(cert_file, key_file)?));
        Ok(())
    }

    pub fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(cert_file: &Path, key_file: &Path) -> io::Result<CertifiedKey> {
    let open = |file: &Path| {
        File::open(file)
            .map(BufReader::new)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
    };
    let chain = CertificateDer::pem_reader_iter(open(cert_file)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| io::Error::other(format!("{}: {error}", cert_file.display())))?;
    if chain.is_empty() {
        return Err(io::Error::other(format!("{}: no certificate in this file", cert_file.display())));
    }
    let key = PrivateKeyDer::from_pem_reader(open(key_file)?)
        .map_err(|error| io::Error::other(format!("{}: {error}", key_file.display())))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| {
        io::Error::other(format!("{} and {}: {error}", cert_file.display(), key_file.display()))
    })
}
