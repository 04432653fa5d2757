//! Settings of the management API: listener, access and budget.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use ipnet::IpNet;

use super::TlsFiles;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementSettings {
    pub listen: Option<SocketAddr>,
    /// Of `listen`; without it clear text.
    pub tls: Option<TlsFiles>,
    /// Credentials count also where they arrive unencrypted from another machine.
    pub clear_text: bool,
    /// Also on the public listeners.
    pub public: bool,
    pub read_only: bool,
    pub admin_roles: Vec<String>,
    /// Networks that may use the API. Empty: all.
    pub allow: Vec<IpNet>,
    pub budget: ChangeBudget,
}

impl ManagementSettings {
    pub fn is_enabled(&self) -> bool {
        self.listen.is_some() || self.public
    }

    pub fn allows_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow.is_empty() || self.allow.iter().any(|network| network.contains(&address))
    }
}

/// Hourly limits of the administrators of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeBudget {
    pub changes: u32,
    pub audit_bytes: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}
