//! `[management]`

use std::ops::RangeInclusive;

use crate::config::document_context::DocumentContext;
use crate::config::{
    document::KeyPath,
    model::{CertificateFiles, ChangeBudget, ClientAuth, ManagementSettings, TlsFiles},
    sections,
};

pub fn management(
    raw: sections::management::ManagementSection,
    accounts: bool,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> ManagementSettings {
    let listen = raw.listen.and_then(|listen| listen.0.0);
    let public = raw.public.unwrap_or(false);
    for (name, is_on) in [("listen", listen.is_some()), ("public", public)] {
        if is_on && !accounts {
            scope.mistake(
                &key.name(name),
                "without accounts the management API cannot authenticate passwords",
                "write accounts.enabled = true",
            );
        }
    }
    let (cert, private) = (key.name("cert_file"), key.name("key_file"));
    match (&raw.cert_file, &raw.key_file) {
        (Some(_), None) => scope.mistake(&private, "this key is required", "name the private key, PEM"),
        (None, Some(_)) => scope.mistake(&cert, "this key is required", "name the certificate chain, PEM"),
        _ => {}
    }
    let certificate =
        match (scope.optional_path(&cert, raw.cert_file), scope.optional_path(&private, raw.key_file)) {
            (Some(cert_file), Some(key_file)) => Some(CertificateFiles { cert_file, key_file }),
            _ => None,
        };
    let client_key = key.name("client_ca_file");
    let client_auth = scope.optional_path(&client_key, raw.client_ca_file);
    if client_auth.is_some() && certificate.is_none() {
        scope.mistake(&client_key, "without TLS clients show no certificate", "name cert_file and key_file");
    }
    let client_auth = client_auth.map(|ca_file| ClientAuth { ca_file, required: true });
    let tls = certificate.map(|certificate| TlsFiles { certificate, more: Vec::new(), client_auth });
    let clear_text = raw.clear_text.unwrap_or(false);
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
    let admin_roles = raw
        .admin_roles
        .map_or_else(|| vec!["admin".to_owned()], |roles| roles.into_iter().map(|role| role.0.0).collect());
    let mut bounded = |name: &str, written: Option<u32>, default: u32, range: RangeInclusive<u32>| {
        let value = written.unwrap_or(default);
        if !range.contains(&value) {
            let remedy = format!("write a number from {} to {}", range.start(), range.end());
            scope.mistake(&key.name(name), format!("{value} is out of range"), &remedy);
        }
        value
    };
    let changes = bounded("changes_per_hour", raw.changes_per_hour, 600, 1..=1_000_000);
    let audit_bytes = bounded("audit_bytes_per_hour", raw.audit_bytes_per_hour, 8 << 20, 65_536..=u32::MAX);
    ManagementSettings {
        allow: raw.allow.unwrap_or_default().into_iter().map(|network| network.0).collect(),
        budget: ChangeBudget { changes, audit_bytes },
        listen,
        tls,
        clear_text,
        public,
        read_only: raw.read_only.unwrap_or(false),
        admin_roles,
    }
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
