//! Reads files of certificates (PEM).

use std::{
    io::{self, Read as _},
    path::Path,
};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use super::{file_problem::FileProblem, regular_file};
use crate::domain::time::Timestamp;

/// Reads all certificates of a file. A file without any is an error.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    let text = read_bytes(path)?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|_| FileProblem::NotPem)?;
    if certificates.is_empty() { Err(FileProblem::NoCertificate) } else { Ok(certificates) }
}

/// The end of the validity (RFC 5280 §4.1.2.5). `None`: this is not an X.509 certificate.
pub fn expiry(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(Timestamp::from_seconds(u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0)))
}

/// Reads a regular file as a whole.
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    regular_file::open_regular_file(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
