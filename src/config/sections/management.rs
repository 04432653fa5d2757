//! `[management]`

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::server::tls::{CertificateSection, ClientAuth, TlsFiles};
use crate::config::{
    document::KeyPath,
    document_context::DocumentContext,
    mistake::Note,
    text_form::AsText,
    values::{
        address::{FilePath, OptionalListen},
        name::NotEmpty,
    },
};

/// The management API: WSO2's identity governance and tenant configuration over HTTP, for administrators. Needs accounts.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ManagementSection {
    /// An address of its own, HTTP/1.1 and HTTP/2. Without a certificate only one that stays on this machine, such as
    /// `127.0.0.1:9443`.
    #[schemars(extend("default" = "off", "x-restart" = true))]
    pub listen: Option<AsText<OptionalListen>>,
    /// The certificate chain for `listen`, PEM. Read again when the file changes. A first one, or none any more, needs a restart.
    #[schemars(extend("x-default" = "none: clear text"))]
    pub cert_file: Option<AsText<FilePath>>,
    /// Its private key, PEM.
    #[schemars(extend("x-default" = "none: clear text"))]
    pub key_file: Option<AsText<FilePath>>,
    /// Authorities, PEM: only clients with a certificate of one of them may connect to `listen`. Read again when the file changes.
    #[schemars(extend("x-default" = "none: no client certificates"))]
    pub client_ca_file: Option<AsText<FilePath>>,
    /// Passwords and tokens may arrive unencrypted: where something before Doorward, such as a service mesh, encrypts.
    #[schemars(extend("default" = false))]
    pub clear_text: Option<bool>,
    /// Serve the API on the public listeners too; without this, its paths are forwarded to the portal.
    #[schemars(extend("default" = false))]
    pub public: Option<bool>,
    /// Answer every change with 403: where the configuration is managed in a repository.
    #[schemars(extend("default" = false))]
    pub read_only: Option<bool>,
    /// Roles that make an account an administrator: of its own tenant, and in `carbon.super` of every tenant. Write access
    /// to a tenant's file includes the choice of the issuers whose tokens are accepted for that tenant.
    #[schemars(extend("default" = ["admin"]))]
    pub admin_roles: Option<Vec<AsText<NotEmpty>>>,
    /// Networks that may use the API; all by default. With it, clients in other networks cannot try passwords.
    #[schemars(extend("default" = []))]
    pub allow: Option<Vec<AsText<IpNet>>>,
    /// Changes that the administrators of one tenant may make in an hour, 1 to 1000000; then 429.
    #[schemars(extend("default" = 600))]
    pub changes_per_hour: Option<u32>,
    /// Bytes that their changes may add to the audit records in an hour, 65536 or more; then 429.
    #[schemars(extend("default" = 8_388_608))]
    pub audit_bytes_per_hour: Option<u32>,
}

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

impl ManagementSection {
    pub fn resolve(
        self,
        has_accounts: bool,
        key: &KeyPath,
        scope: &mut DocumentContext<'_>,
    ) -> ManagementSettings {
        let listen = self.listen.and_then(|listen| listen.0.0);
        let public = self.public.unwrap_or(false);
        for (name, is_on) in [("listen", listen.is_some()), ("public", public)] {
            if is_on && !has_accounts {
                scope.mistake(
                    &key.name(name),
                    "without accounts the management API cannot authenticate passwords",
                    "write accounts.enabled = true",
                );
            }
        }
        let certificate = match (self.cert_file, self.key_file) {
            (None, None) => None,
            (cert_file, key_file) => CertificateSection { cert_file, key_file }.resolve(key, scope),
        };
        let client_key = key.name("client_ca_file");
        let client_auth = scope.optional_path(&client_key, self.client_ca_file);
        if client_auth.is_some() && certificate.is_none() {
            scope.mistake(
                &client_key,
                "without TLS clients show no certificate",
                "name cert_file and key_file",
            );
        }
        let client_auth = client_auth.map(|ca_file| ClientAuth { ca_file, required: true });
        let tls = certificate.map(|certificate| TlsFiles { certificate, more: Vec::new(), client_auth });
        let clear_text = self.clear_text.unwrap_or(false);
        if let Some(address) = listen
            && tls.is_none()
            && !clear_text
            && !address.ip().to_canonical().is_loopback()
        {
            scope.mistake(
                &key.name("listen"),
                format!("passwords would travel to {address} in clear text"),
                "name cert_file and key_file, listen on 127.0.0.1, or write clear_text = true where something before \
                 Doorward encrypts",
            );
        }
        let admin_roles = self.admin_roles.map_or_else(|| vec!["admin".to_owned()], NotEmpty::into_texts);
        let mut bounded = |name: &str, written: Option<u32>, default: u32, range: RangeInclusive<u32>| {
            scope.bounded(&key.name(name), written, default, range)
        };
        let changes = bounded("changes_per_hour", self.changes_per_hour, 600, 1..=1_000_000);
        let audit_bytes =
            bounded("audit_bytes_per_hour", self.audit_bytes_per_hour, 8 << 20, 65_536..=u32::MAX);
        ManagementSettings {
            allow: self.allow.unwrap_or_default().into_iter().map(|network| network.0).collect(),
            budget: ChangeBudget { changes, audit_bytes },
            listen,
            tls,
            clear_text,
            public,
            read_only: self.read_only.unwrap_or(false),
            admin_roles,
        }
    }
}

impl From<&ManagementSettings> for ManagementSection {
    fn from(management: &ManagementSettings) -> Self {
        let tls = management.tls.as_ref();
        let files = tls.map(|tls| &tls.certificate);
        let client_auth = tls.and_then(|tls| tls.client_auth.as_ref());
        Self {
            listen: Some(AsText(OptionalListen(management.listen))),
            cert_file: files.map(|files| FilePath::written(&files.cert_file)),
            key_file: files.map(|files| FilePath::written(&files.key_file)),
            client_ca_file: client_auth.map(|auth| FilePath::written(&auth.ca_file)),
            clear_text: Some(management.clear_text),
            public: Some(management.public),
            read_only: Some(management.read_only),
            allow: Some(management.allow.iter().copied().map(AsText).collect()),
            changes_per_hour: Some(management.budget.changes),
            audit_bytes_per_hour: Some(management.budget.audit_bytes),
            admin_roles: Some(NotEmpty::list(&management.admin_roles)),
        }
    }
}

/// Each key that needs a restart, and whether it has changed.
pub fn restart_keys(old: &ManagementSettings, new: &ManagementSettings) -> Vec<(&'static str, bool)> {
    // at a listener that stays
    let encrypts = |one: &ManagementSettings, other: &ManagementSettings| {
        one.tls.is_some() && one.listen.is_some() && other.listen.is_some()
    };
    vec![
        ("management.listen", old.listen != new.listen),
        ("management.cert_file", encrypts(old, new) != encrypts(new, old)),
    ]
}

/// Settings that have less effect than they seem to have.
pub fn notes(management: &ManagementSettings) -> Option<Note> {
    let asks = management.tls.as_ref().is_some_and(|tls| tls.client_auth.is_some());
    // `management.allow` restricts the API at the public addresses without a client certificate
    (management.public && asks && management.allow.is_empty()).then(|| {
        (
            KeyPath::root().name("management").name("client_ca_file"),
            "management.public is true, and at the public addresses the management API asks for no client certificate",
            "remove management.public, or set management.allow as well",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use crate::config::load::parse;

    /// The key of each mistake.
    fn mistakes(accounts: bool, management: &str) -> Vec<String> {
        let text = format!(
            "[accounts]\nenabled = {accounts}\n[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n[management]\n{management}"
        );
        match parse(&text, Path::new("d.toml"), &BTreeMap::new()) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.into_iter().map(|mistake| mistake.key).collect(),
        }
    }

    #[test]
    fn contradictory_management_keys_are_mistakes() {
        let tls = "cert_file = \"c\"\nkey_file = \"k\"\n";
        for (accounts, management, keys) in [
            (true, String::new(), &[][..]),
            (false, String::new(), &[]),
            (false, "listen = \"off\"\nread_only = true\nadmin_roles = []".to_owned(), &[]),
            (false, "listen = \"127.0.0.1:9443\"".to_owned(), &["management.listen"]),
            (false, "public = true".to_owned(), &["management.public"]),
            (true, "public = true".to_owned(), &[]),
            (true, "listen = \"127.0.0.1:9443\"".to_owned(), &[]),
            (true, "listen = \"[::1]:9443\"".to_owned(), &[]),
            (true, "listen = \"0.0.0.0:9443\"".to_owned(), &["management.listen"]),
            (true, "listen = \"10.0.0.1:9443\"".to_owned(), &["management.listen"]),
            (true, "listen = \"[::]:9443\"".to_owned(), &["management.listen"]),
            (true, "listen = \"0.0.0.0:9443\"\nclear_text = true".to_owned(), &[]),
            (true, format!("listen = \"0.0.0.0:9443\"\n{tls}"), &[]),
            (true, "cert_file = \"c\"".to_owned(), &["management.key_file"]),
            (true, "key_file = \"k\"".to_owned(), &["management.cert_file"]),
            (true, "admin_roles = [\"\"]".to_owned(), &["management.admin_roles[0]"]),
            (true, "client_ca_file = \"ca\"".to_owned(), &["management.client_ca_file"]),
            (true, format!("{tls}client_ca_file = \"ca\""), &[]),
            (true, "allow = [\"10.0.0.0/8\", \"::1/128\"]".to_owned(), &[]),
            (true, "allow = [\"everywhere\"]".to_owned(), &["management.allow[0]"]),
            (true, "changes_per_hour = 0".to_owned(), &["management.changes_per_hour"]),
            (true, "audit_bytes_per_hour = 100".to_owned(), &["management.audit_bytes_per_hour"]),
        ] {
            assert_eq!(mistakes(accounts, &management), keys, "accounts {accounts}: {management}");
        }
    }

    /// Attack: tokens of a public identity provider that also has a scope `apim:admin`.
    #[test]
    fn attack_issuer_without_tenant_administers_every_tenant() {
        let issuer =
            "[[issuer]]\nissuer = \"https://idp.example\"\naudiences = [\"portal\"]\ndiscovery = true\n";
        let public = format!("public = true\n{issuer}");
        for (management, keys) in [
            (issuer.to_owned(), &[][..]),
            (public.clone(), &["issuer[0]"]),
            (format!("{public}tenant = \"carbon.super\""), &[]),
            (format!("{public}tenant_claim = \"tenant\""), &[]),
            (format!("{public}[tenancy]\ndefault_tenant = \"acme.com\""), &[]),
        ] {
            assert_eq!(mistakes(true, &management), keys, "{management}");
        }
    }
}
