//! `[server.tls]` and `[[server.tls.certificate]]`

use std::{net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    document::KeyPath, document_context::DocumentContext, text_form::AsText, values::address::FilePath,
};

/// Also listen with TLS. Certificate and key are read again when their files change.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct TlsSection {
    /// Addresses for TLS: HTTP/1.1 and HTTP/2, by ALPN.
    #[schemars(extend("default" = ["0.0.0.0:8443"], "x-restart" = true))]
    pub listen: Option<Vec<AsText<SocketAddr>>>,
    /// The certificate chain, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub cert_file: Option<AsText<FilePath>>,
    /// Its private key, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub key_file: Option<AsText<FilePath>>,
    /// Authorities whose client certificates count, PEM. Read again when the file changes.
    #[schemars(extend("x-default" = "none"))]
    pub client_ca_file: Option<AsText<FilePath>>,
    /// Whether clients show a certificate of `client_ca_file`: `off`, `optional` (a wrong one is refused) or `required`.
    #[schemars(extend("x-default" = "`required` with `client_ca_file`, otherwise `off`"))]
    pub client_auth: Option<ClientAuthMode>,
    /// A further certificate, shown to clients that ask for a host name that is in it (SNI). The one above is for all others.
    pub certificate: Option<Vec<CertificateSection>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ClientAuthMode {
    Off,
    Optional,
    Required,
}

/// A further certificate, by the host names in it. Read again when its files change.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct CertificateSection {
    /// The certificate chain, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub cert_file: Option<AsText<FilePath>>,
    /// Its private key, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub key_file: Option<AsText<FilePath>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    pub listen: Vec<SocketAddr>,
    pub files: TlsFiles,
}

/// The files of a TLS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The default certificate.
    pub certificate: CertificateFiles,
    /// Shown to clients that ask for a host name that is in them.
    pub more: Vec<CertificateFiles>,
    pub client_auth: Option<ClientAuth>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// Client certificates (mTLS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuth {
    pub ca_file: PathBuf,
    /// A client without a certificate is refused.
    pub required: bool,
}

impl TlsFiles {
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let pairs = std::iter::once(&self.certificate).chain(&self.more);
        pairs
            .flat_map(|files| [&files.cert_file, &files.key_file])
            .chain(self.client_auth.iter().map(|auth| &auth.ca_file))
    }
}

impl TlsSection {
    pub(super) fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Option<TlsSettings> {
        let listen: Vec<_> = self.listen.map_or_else(
            || vec![([0, 0, 0, 0], 8443).into()],
            |listen| listen.into_iter().map(|at| at.0).collect(),
        );
        if listen.is_empty() {
            scope.mistake(
                &key.name("listen"),
                "TLS would listen nowhere",
                "name an address, or remove [server.tls]",
            );
        }
        let first =
            CertificateSection { cert_file: self.cert_file, key_file: self.key_file }.resolve(key, scope);
        let mut more = Vec::new();
        for (index, section) in self.certificate.unwrap_or_default().into_iter().enumerate() {
            let key = key.name("certificate").item(index);
            more.extend(section.resolve(&key, scope));
        }
        let client_auth = client_auth(self.client_ca_file, self.client_auth, key, scope);
        Some(TlsSettings { listen, files: TlsFiles { certificate: first?, more, client_auth } })
    }
}

impl CertificateSection {
    pub(in crate::config::sections) fn resolve(
        self,
        key: &KeyPath,
        scope: &mut DocumentContext<'_>,
    ) -> Option<CertificateFiles> {
        let (cert, private) = (key.name("cert_file"), key.name("key_file"));
        let cert_file = scope.required(&cert, self.cert_file, "name the certificate chain, PEM");
        let key_file = scope.required(&private, self.key_file, "name the private key, PEM");
        Some(CertificateFiles {
            cert_file: scope.resolve_path(&cert, &cert_file?.0),
            key_file: scope.resolve_path(&private, &key_file?.0),
        })
    }
}

fn client_auth(
    ca_file: Option<AsText<FilePath>>,
    mode: Option<ClientAuthMode>,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<ClientAuth> {
    let ca_file = scope.optional_path(&key.name("client_ca_file"), ca_file);
    let required = match (mode, &ca_file) {
        (None | Some(ClientAuthMode::Off), None) | (Some(ClientAuthMode::Off), Some(_)) => {
            return None;
        }
        (Some(_), None) => {
            scope.mistake(
                &key.name("client_auth"),
                "client certificates cannot be verified without client_ca_file",
                "name client_ca_file",
            );
            return None;
        }
        (Some(ClientAuthMode::Optional), Some(_)) => false,
        (None | Some(ClientAuthMode::Required), Some(_)) => true,
    };
    ca_file.map(|ca_file| ClientAuth { ca_file, required })
}

impl From<&TlsSettings> for TlsSection {
    fn from(tls: &TlsSettings) -> Self {
        let TlsFiles { certificate, more, client_auth } = &tls.files;
        Self {
            listen: Some(tls.listen.iter().copied().map(AsText).collect()),
            cert_file: Some(FilePath::written(&certificate.cert_file)),
            key_file: Some(FilePath::written(&certificate.key_file)),
            client_ca_file: client_auth.as_ref().map(|auth| FilePath::written(&auth.ca_file)),
            client_auth: Some(match client_auth {
                None => ClientAuthMode::Off,
                Some(auth) if auth.required => ClientAuthMode::Required,
                Some(_) => ClientAuthMode::Optional,
            }),
            certificate: Some(more.iter().map(Into::into).collect()),
        }
    }
}

impl From<&CertificateFiles> for CertificateSection {
    fn from(files: &CertificateFiles) -> Self {
        Self {
            cert_file: Some(FilePath::written(&files.cert_file)),
            key_file: Some(FilePath::written(&files.key_file)),
        }
    }
}
