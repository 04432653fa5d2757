//! The management API: where it listens, who may use it.

use std::{net::SocketAddr, path::PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Management {
    pub listen: Option<SocketAddr>,
    /// Of `listen`; without it clear text.
    pub certificate: Option<CertificateFiles>,
    /// Credentials count also where they arrive unencrypted from another machine.
    pub clear_text: bool,
    /// Also on the public listeners.
    pub public: bool,
    pub read_only: bool,
    pub admin_roles: Vec<String>,
}

impl Management {
    pub fn is_on(&self) -> bool {
        self.listen.is_some() || self.public
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}
