//! `doorward certs`: a certificate for development, signed by a CA of its own that can sign nothing else.

use std::{
    fs,
    io::{self, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use jiff::{ToSpan, Zoned, civil::Date};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::DnsName;

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server-key.pem";

/// Some browsers refuse a server certificate that is valid longer.
const SERVER_DAYS: i64 = 397;
const CA_DAYS: i64 = 825;

/// Make a development certificate and the CA that signs it
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Where the four files go
    #[arg(long, value_name = "FOLDER", default_value = "certs")]
    pub folder: PathBuf,
    /// Replace the files that are there
    #[arg(long)]
    pub force: bool,
    /// Host names and IP addresses the certificate is for
    #[arg(value_name = "NAME", default_values = ["localhost", "127.0.0.1", "::1"])]
    pub names: Vec<String>,
}

pub fn run(options: &Options) -> ExitCode {
    let today = Zoned::now().date();
    match generate_files(options, today) {
        Ok(()) => {
            let mut out = io::stdout().lock();
            // standard output may be closed: the files are written all the same
            let _ = out.write_all(report(options).as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", super::error_chain_text(&error));
            ExitCode::from(2)
        }
    }
}

fn generate_files(options: &Options, today: Date) -> anyhow::Result<()> {
    for name in &options.names {
        check_name(name)?;
    }
    let folder = &options.folder;
    let existing: Vec<&str> =
        [CA, CA_KEY, SERVER, SERVER_KEY].into_iter().filter(|name| folder.join(name).exists()).collect();
    if !existing.is_empty() && !options.force {
        anyhow::bail!(
            "{} already holds {}\n  --force replaces them; clients that trust the old CA have to trust the new one",
            folder.display(),
            existing.join(", ")
        );
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let files = issue(&options.names, today)?;
    write(&folder.join(CA), &files.ca, 0o644)?;
    write(&folder.join(CA_KEY), &files.ca_key, 0o600)?;
    write(&folder.join(SERVER), &files.server, 0o644)?;
    write(&folder.join(SERVER_KEY), &files.server_key, 0o600)
}

/// Rejects names that no client can request.
fn check_name(name: &str) -> anyhow::Result<()> {
    let host = name.strip_prefix("*.").unwrap_or(name);
    if name.parse::<IpAddr>().is_err() && DnsName::try_from(host).is_err() {
        anyhow::bail!(
            "{name:?} is neither a host name nor an IP address: a host name has letters, digits, `-`, `_` and dots, no space, \
             no port; write portal.example.com or *.portal.example.com"
        );
    }
    Ok(())
}

struct GeneratedFiles {
    ca: String,
    ca_key: String,
    server: String,
    server_key: String,
}

fn issue(names: &[String], today: Date) -> anyhow::Result<GeneratedFiles> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, format!("Doorward development CA, {today}"));
    // name constraints: a stolen CA key cannot sign for other names
    ca.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted_subtrees(names),
        excluded_subtrees: Vec::new(),
    });
    set_validity(&mut ca, today, CA_DAYS)?;
    let ca_certificate = ca.self_signed(&ca_key)?.pem();

    let server_key = KeyPair::generate()?;
    let mut server =
        CertificateParams::new(names.to_vec()).context("a name is neither a host name nor an IP address")?;
    server.distinguished_name.push(DnType::CommonName, "Doorward development");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    set_validity(&mut server, today, SERVER_DAYS)?;
    let ca_key_pem = ca_key.serialize_pem();
    let server_certificate = server.signed_by(&server_key, &Issuer::new(ca, ca_key))?.pem();

    Ok(GeneratedFiles {
        // servers send the whole chain
        server: format!("{server_certificate}{ca_certificate}"),
        ca: ca_certificate,
        ca_key: ca_key_pem,
        server_key: server_key.serialize_pem(),
    })
}

/// A kind of name that is not listed here would be allowed altogether.
fn permitted_subtrees(names: &[String]) -> Vec<GeneralSubtree> {
    let mut subtrees: Vec<GeneralSubtree> = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                address,
                if address.is_ipv4() { 32 } else { 128 },
            )),
            // `*.example.com` is allowed by `example.com`
            Err(_) => GeneralSubtree::DnsName(name.trim_start_matches("*.").to_owned()),
        })
        .collect();
    if !subtrees.iter().any(|subtree| matches!(subtree, GeneralSubtree::DnsName(_))) {
        subtrees.push(GeneralSubtree::DnsName("invalid".to_owned()));
    }
    if !subtrees.iter().any(|subtree| matches!(subtree, GeneralSubtree::IpAddress(_))) {
        subtrees
            .push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(IpAddr::from([127, 0, 0, 1]), 32)));
    }
    subtrees
}

/// From yesterday, for clocks that are behind.
fn set_validity(params: &mut CertificateParams, today: Date, days: i64) -> anyhow::Result<()> {
    let moment = |date: Date| -> anyhow::Result<_> {
        Ok(rcgen::date_time_ymd(
            i32::from(date.year()),
            u8::try_from(date.month())?,
            u8::try_from(date.day())?,
        ))
    };
    params.not_before = moment(today.checked_sub(1.day())?)?;
    params.not_after = moment(today.checked_add((days - 1).days())?)?;
    Ok(())
}

/// Writes a temporary file and renames it: the mode is right from the first byte on, and no reader sees half a file.
fn write(file: &Path, content: &str, mode: u32) -> anyhow::Result<()> {
    let temp_file = file.with_extension("pem.new");
    let written = || -> io::Result<()> {
        match fs::remove_file(&temp_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        let mut open = options.open(&temp_file)?;
        open.write_all(content.as_bytes())?;
        open.sync_all()?;
        fs::rename(&temp_file, file)
    };
    written().with_context(|| format!("cannot write {}", file.display()))
}

fn report(options: &Options) -> String {
    let path = |name: &str| options.folder.join(name).display().to_string();
    format!(
        "A certificate for {names}, valid {SERVER_DAYS} days.\n\n  \
         {ca:<24}  let browsers and clients trust this one: curl --cacert {ca}\n  \
         {ca_key:<24}  signs certificates; keep it to yourself, or delete it\n  \
         {server:<24}  server.tls.cert_file, or management.cert_file\n  \
         {server_key:<24}  server.tls.key_file, or management.key_file\n\n\
         For development only: in production use a certificate that clients already trust.\n",
        names = options.names.join(", "),
        ca = path(CA),
        ca_key = path(CA_KEY),
        server = path(SERVER),
        server_key = path(SERVER_KEY),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{
        RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    };

    use super::*;

    fn options(folder: &Path, force: bool) -> Options {
        let names = ["localhost", "127.0.0.1", "::1", "*.portal.example"].map(str::to_owned).to_vec();
        Options { folder: folder.to_owned(), force, names }
    }

    fn accepts(folder: &Path, name: &str) -> bool {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(folder.join(SERVER)).unwrap().map(Result::unwrap).collect();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join(CA)).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn certificate_is_valid_for_its_names_only() {
        let folder = tempfile::tempdir().unwrap();
        generate_files(&options(folder.path(), false), Zoned::now().date()).unwrap();
        for (name, accepted) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("acme.portal.example", true),
            ("evil.example", false),
            ("127.0.0.2", false),
        ] {
            assert_eq!(accepts(folder.path(), name), accepted, "{name}");
        }
    }

    #[test]
    fn an_old_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        generate_files(&options(folder.path(), false), Zoned::now().date().checked_sub(400.days()).unwrap())
            .unwrap();
        assert!(!accepts(folder.path(), "localhost"));
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_readable_by_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        generate_files(&options(folder.path(), false), Zoned::now().date()).unwrap();
        for (name, mode) in [(CA_KEY, 0o600), (SERVER_KEY, 0o600)] {
            assert_eq!(
                fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777,
                mode,
                "{name}"
            );
        }
    }

    #[test]
    fn nothing_is_overwritten_without_force() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(CA_KEY), "precious").unwrap();
        let refusal = generate_files(&options(folder.path(), false), Zoned::now().date()).unwrap_err();
        assert!(refusal.to_string().contains("--force"), "{refusal}");
        assert_eq!(fs::read_to_string(folder.path().join(CA_KEY)).unwrap(), "precious");
        assert!(!folder.path().join(CA).exists(), "and nothing is half-written");
        generate_files(&options(folder.path(), true), Zoned::now().date()).unwrap();
        assert!(accepts(folder.path(), "localhost"));
    }
}
