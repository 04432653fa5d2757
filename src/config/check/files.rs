//! The files that `deployment.toml` names: there, readable, and what they should be.

use std::{fs, io::ErrorKind, path::Path, sync::Arc};

use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use serde_json::Value;

use super::store;
use crate::config::{
    certificates::{read_bytes, read_certificates},
    document::{Findings, Key, Node},
    model::{
        AccessLog, AuditLog, CertificateFiles, Issuer, KeySource, Settings, StoreLocation, Target, TlsFiles,
    },
};

pub fn look_at(settings: &Settings, root: &Node, findings: &mut Findings) {
    let key = Key::root();
    let mut note = |key: Key, path: &Path, problem: String| {
        findings.add(root, &key, format!("{}: {problem}", path.display()), "");
    };
    if let Some(tls) = &settings.server.tls {
        tls_files(&key.name("server").name("tls"), &tls.files, &mut note);
    }
    if let Some(files) = &settings.management.tls {
        tls_files(&key.name("management"), files, &mut note);
    }
    // the written order is not the resolved one: the path tells them apart
    for upstream in &settings.portal.upstreams {
        let Target::Tls { ca_file, client_cert_file, client_key_file, .. } = &upstream.target else {
            continue;
        };
        let key = upstream_key(root, &upstream.path);
        if let Some(ca) = ca_file {
            certificates(&key.name("ca_file"), ca, &mut note);
        }
        if let (Some(cert), Some(private)) = (client_cert_file, client_key_file) {
            pair(&key.name("client_cert_file"), cert, &key.name("client_key_file"), private, &mut note);
        }
    }
    for (index, issuer) in settings.defaults.issuers.iter().enumerate() {
        issuer_files(&key.name("issuer").item(index), issuer, &mut note);
    }
    let access = match &settings.log.access {
        AccessLog::File(path) => Some(("access", path)),
        AccessLog::Off | AccessLog::Stdout => None,
    };
    let audit = match &settings.log.audit {
        AuditLog::File(path) => Some(("audit", path)),
        AuditLog::Off | AuditLog::Stdout | AuditLog::Syslog(_) => None,
    };
    for (name, path) in access.into_iter().chain(audit) {
        if !path.parent().is_some_and(Path::is_dir) {
            note(key.name("log").name(name), path, "its folder does not exist".to_owned());
        }
    }
    if settings.accounts.enabled
        && let StoreLocation::Sqlite(file) = &settings.accounts.store.location
        && let Err((problem, remedy)) = store::place(file)
    {
        let accounts = key.name("accounts");
        let from_file = accounts.name("store_url_file");
        let key = if root.at(&from_file).is_some() { from_file } else { accounts.name("store_url") };
        findings.add(root, &key, problem, remedy);
    }
    let folder = &settings.tenancy.folder;
    let key = key.name("tenancy").name("folder");
    let is_folder = match fs::metadata(folder) {
        Ok(found) => found.is_dir(),
        // only the default one may be missing: nobody asked for it
        Err(error) if error.kind() == ErrorKind::NotFound => root.at(&key).is_none(),
        // what else is in the way is told where it is listed
        Err(error) => error.kind() != ErrorKind::NotADirectory,
    };
    if !is_folder {
        let remedy = "make it, or leave the key out";
        findings.add(root, &key, format!("{}: this is not a folder", folder.display()), remedy);
    }
}

fn tls_files(key: &Key, files: &TlsFiles, note: &mut impl FnMut(Key, &Path, String)) {
    let mut check = |key: &Key, CertificateFiles { cert_file, key_file }: &CertificateFiles| {
        pair(&key.name("cert_file"), cert_file, &key.name("key_file"), key_file, note);
    };
    check(key, &files.certificate);
    for (index, more) in files.more.iter().enumerate() {
        check(&key.name("certificate").item(index), more);
    }
    if let Some(auth) = &files.client_auth {
        certificates(&key.name("client_ca_file"), &auth.ca_file, note);
    }
}

/// The files of one issuer, also of a tenant's.
pub fn issuer_files(key: &Key, issuer: &Issuer, note: &mut impl FnMut(Key, &Path, String)) {
    if let KeySource::File(path) = &issuer.keys
        && let Err(problem) = key_set(path)
    {
        note(key.name("jwks_file"), path, problem);
    }
    if let Some(ca) = issuer.introspection.as_ref().and_then(|introspection| introspection.ca_file.as_ref()) {
        certificates(&key.name("introspection").name("ca_file"), ca, note);
    }
}

fn upstream_key(root: &Node, path: &str) -> Key {
    let key = Key::root().name("portal").name("upstream");
    let written = root.at(&key).map(Node::to_json).unwrap_or_default();
    let index = written.as_array().and_then(|list| {
        list.iter().position(|upstream| {
            let written = upstream.get("path").and_then(Value::as_str).unwrap_or("/");
            written == path || written.strip_suffix('/') == Some(path)
        })
    });
    key.item(index.unwrap_or(0))
}

fn certificates(
    key: &Key,
    path: &Path,
    note: &mut impl FnMut(Key, &Path, String),
) -> Vec<CertificateDer<'static>> {
    match read_certificates(path) {
        Ok(certificates) => certificates,
        Err(problem) => {
            note(key.clone(), path, problem);
            Vec::new()
        }
    }
}

fn pair(
    cert_key: &Key,
    cert: &Path,
    private_key: &Key,
    private: &Path,
    note: &mut impl FnMut(Key, &Path, String),
) {
    let chain = certificates(cert_key, cert, note);
    // the error of a key file must not repeat what is in it
    let text = match read(private) {
        Ok(text) => text,
        Err(problem) => return note(private_key.clone(), private, problem),
    };
    let Ok(der) = PrivateKeyDer::from_pem_slice(&text) else {
        return note(private_key.clone(), private, "there is no private key in it".to_owned());
    };
    if chain.is_empty() {
        return;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    if let Err(error) = CertifiedKey::from_der(chain, der, &provider) {
        note(private_key.clone(), private, format!("it does not belong to the certificate: {error}"));
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    read_bytes(path).map_err(|error| error.to_string())
}

/// RFC 7517, public keys only.
fn key_set(path: &Path) -> Result<(), String> {
    let text = read(path)?;
    let set: Value = serde_json::from_slice(&text).map_err(|error| format!("this is not JSON: {error}"))?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or("there is no list `keys` in it")?;
    let public: Vec<_> = keys.iter().filter(|key| key.get("kty").is_some_and(|kind| kind != "oct")).collect();
    if public.is_empty() {
        return Err("there is no public key in it".to_owned());
    }
    if public.iter().any(|key| key.get("d").is_some()) {
        return Err("there is a private key in it; only the public half belongs here".to_owned());
    }
    if !public.iter().any(|key| serde_json::from_value::<jsonwebtoken::jwk::Jwk>((*key).clone()).is_ok()) {
        return Err("none of its keys can be used".to_owned());
    }
    Ok(())
}
