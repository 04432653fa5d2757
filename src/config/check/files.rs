//! Checks that the files named in `deployment.toml` exist, are readable, and have the expected content.

use std::{fs, io::ErrorKind, path::Path, sync::Arc, time::Duration};

use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use serde_json::Value;

use super::store;
use crate::{
    config::{
        certificates::{self, read_bytes, read_certificates},
        document::{DocumentNode, Findings, KeyPath},
        file_problem::FileProblem,
        model::{
            AccessLogTarget, AuditLogTarget, CertificateFiles, Issuer, KeySource, Settings, StoreLocation,
            TlsFiles, UpstreamTarget,
        },
    },
    domain::time::Timestamp,
};

pub fn check_files(settings: &Settings, root: &DocumentNode, findings: &mut Findings) {
    let key = KeyPath::root();
    let mut report = |key: KeyPath, path: &Path, problem: FileProblem| {
        findings.add(root, &key, format!("{}: {problem}", path.display()), "");
    };
    if let Some(tls) = &settings.server.tls {
        tls_files(&key.name("server").name("tls"), &tls.files, &mut report);
    }
    if let Some(files) = &settings.management.tls {
        tls_files(&key.name("management"), files, &mut report);
    }
    // resolved upstreams are in another order: they are identified by path
    for upstream in &settings.portal.upstreams {
        let UpstreamTarget::Tls { ca_file, client_cert_file, client_key_file, .. } = &upstream.target else {
            continue;
        };
        let key = upstream_key(root, &upstream.path);
        if let Some(ca) = ca_file {
            check_certificates(&key.name("ca_file"), ca, &mut report);
        }
        if let (Some(cert), Some(private)) = (client_cert_file, client_key_file) {
            check_key_pair(
                &key.name("client_cert_file"),
                cert,
                &key.name("client_key_file"),
                private,
                &mut report,
            );
        }
    }
    for (index, issuer) in settings.defaults.issuers.iter().enumerate() {
        issuer_files(&key.name("issuer").item(index), issuer, &mut report);
    }
    let access = match &settings.log.access {
        AccessLogTarget::File(path) => Some(("access", path)),
        AccessLogTarget::Off | AccessLogTarget::Stdout => None,
    };
    let audit = match &settings.log.audit {
        AuditLogTarget::File(path) => Some(("audit", path)),
        AuditLogTarget::Off | AuditLogTarget::Stdout | AuditLogTarget::Syslog(_) => None,
    };
    for (name, path) in access.into_iter().chain(audit) {
        if !path.parent().is_some_and(Path::is_dir) {
            report(key.name("log").name(name), path, FileProblem::NoFolder);
        }
    }
    if settings.accounts.enabled
        && let StoreLocation::Sqlite(file) = &settings.accounts.store.location
        && let Err(problem) = store::check_location(file)
    {
        let accounts = key.name("accounts");
        let from_file = accounts.name("store_url_file");
        let key = if root.at(&from_file).is_some() { from_file } else { accounts.name("store_url") };
        findings.add(root, &key, format!("{}: {problem}", file.display()), problem.remedy());
    }
    let folder = &settings.tenancy.folder;
    let key = key.name("tenancy").name("folder");
    let is_folder = match fs::metadata(folder) {
        Ok(found) => found.is_dir(),
        // only the default folder may be missing: it was not configured
        Err(error) if error.kind() == ErrorKind::NotFound => root.at(&key).is_none(),
        // other errors are reported when the folder is listed
        Err(error) => error.kind() != ErrorKind::NotADirectory,
    };
    if !is_folder {
        let remedy = "make it, or leave the key out";
        findings.add(root, &key, format!("{}: this is not a folder", folder.display()), remedy);
    }
}

fn tls_files(key: &KeyPath, files: &TlsFiles, report: &mut impl FnMut(KeyPath, &Path, FileProblem)) {
    let mut check = |key: &KeyPath, CertificateFiles { cert_file, key_file }: &CertificateFiles| {
        check_key_pair(&key.name("cert_file"), cert_file, &key.name("key_file"), key_file, report);
    };
    check(key, &files.certificate);
    for (index, more) in files.more.iter().enumerate() {
        check(&key.name("certificate").item(index), more);
    }
    if let Some(auth) = &files.client_auth {
        check_certificates(&key.name("client_ca_file"), &auth.ca_file, report);
    }
}

/// How long before its expiry a certificate is noted. Let's Encrypt certificates are renewed 30 days before.
pub const EXPIRY_WARNING: Duration = Duration::from_hours(21 * 24);

/// Certificates of listeners that have expired or expire soon.
pub fn expiring_certificates(settings: &Settings, now: Timestamp) -> Vec<(KeyPath, String)> {
    let key = KeyPath::root();
    let public = settings.server.tls.as_ref().map(|tls| (key.name("server").name("tls"), &tls.files));
    let management = settings.management.tls.as_ref().map(|files| (key.name("management"), files));
    let mut found = Vec::new();
    for (key, files) in public.into_iter().chain(management) {
        let more = files.more.iter().enumerate();
        let more = more.map(|(index, files)| (key.name("certificate").item(index), files));
        for (key, files) in [(key.clone(), &files.certificate)].into_iter().chain(more) {
            let path = &files.cert_file;
            let expiry = read_certificates(path).ok().and_then(|chain| certificates::expiry(chain.first()?));
            let Some(expiry) = expiry else { continue };
            let days = whole_days(expiry.abs_diff(now));
            let problem = if expiry <= now {
                format!("expired {days} days ago: clients refuse it")
            } else if expiry.saturating_since(now) < EXPIRY_WARNING {
                format!("expires in {days} days")
            } else {
                continue;
            };
            found.push((key.name("cert_file"), format!("{}: {problem}", path.display())));
        }
    }
    found
}

fn whole_days(duration: Duration) -> u64 {
    duration.as_secs() / (24 * 60 * 60)
}

/// The files of one issuer, also of a tenant's.
pub fn issuer_files(key: &KeyPath, issuer: &Issuer, report: &mut impl FnMut(KeyPath, &Path, FileProblem)) {
    if let KeySource::File(path) = &issuer.keys
        && let Err(problem) = check_key_set(path)
    {
        report(key.name("jwks_file"), path, problem);
    }
    if let Some(ca) = issuer.introspection.as_ref().and_then(|introspection| introspection.ca_file.as_ref()) {
        check_certificates(&key.name("introspection").name("ca_file"), ca, report);
    }
}

fn upstream_key(root: &DocumentNode, path: &str) -> KeyPath {
    let key = KeyPath::root().name("portal").name("upstream");
    let written = root.at(&key).map(DocumentNode::to_json).unwrap_or_default();
    let index = written.as_array().and_then(|list| {
        list.iter().position(|upstream| {
            let written = upstream.get("path").and_then(Value::as_str).unwrap_or("/");
            written == path || written.strip_suffix('/') == Some(path)
        })
    });
    key.item(index.unwrap_or(0))
}

fn check_certificates(
    key: &KeyPath,
    path: &Path,
    report: &mut impl FnMut(KeyPath, &Path, FileProblem),
) -> Vec<CertificateDer<'static>> {
    match read_certificates(path) {
        Ok(certificates) => certificates,
        Err(problem) => {
            report(key.clone(), path, problem);
            Vec::new()
        }
    }
}

fn check_key_pair(
    cert_key: &KeyPath,
    cert: &Path,
    private_key: &KeyPath,
    private: &Path,
    report: &mut impl FnMut(KeyPath, &Path, FileProblem),
) {
    let chain = check_certificates(cert_key, cert, report);
    // the error of a key file must not repeat its content
    let text = match read_bytes(private) {
        Ok(text) => text,
        Err(error) => return report(private_key.clone(), private, error.into()),
    };
    let Ok(der) = PrivateKeyDer::from_pem_slice(&text) else {
        return report(private_key.clone(), private, FileProblem::NoPrivateKey);
    };
    if chain.is_empty() {
        return;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    if let Err(error) = CertifiedKey::from_der(chain, der, &provider) {
        report(private_key.clone(), private, FileProblem::OtherCertificate(error));
    }
}

/// RFC 7517, public keys only.
fn check_key_set(path: &Path) -> Result<(), FileProblem> {
    let text = read_bytes(path)?;
    let set: Value = serde_json::from_slice(&text).map_err(FileProblem::NotJson)?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or(FileProblem::NoKeyList)?;
    let public: Vec<_> = keys.iter().filter(|key| key.get("kty").is_some_and(|kind| kind != "oct")).collect();
    if public.is_empty() {
        return Err(FileProblem::NoPublicKey);
    }
    if public.iter().any(|key| key.get("d").is_some()) {
        return Err(FileProblem::PrivateKeyInKeySet);
    }
    if !public.iter().any(|key| serde_json::from_value::<jsonwebtoken::jwk::Jwk>((*key).clone()).is_ok()) {
        return Err(FileProblem::NoUsableKey);
    }
    Ok(())
}
