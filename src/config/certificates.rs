//! Reads files of certificates (PEM).

use std::{
    io::{self, Read as _},
    path::Path,
};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{file_problem::FileProblem, regular_file};

/// Reads all certificates of a file. A file without any is an error.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    let text = read_bytes(path)?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|_| FileProblem::NotPem)?;
    if certificates.is_empty() { Err(FileProblem::NoCertificate) } else { Ok(certificates) }
}

/// Reads a regular file as a whole.
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    regular_file::open_regular_file(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
