//! `[server]`, `[admin]`, `[log]`

use http::HeaderValue;

use crate::config::{
    certificates::read_certificates,
    document::KeyPath,
    document_context::DocumentContext,
    model::{
        AccessLogTarget, AdminSettings, AuditLogTarget, CertificateFiles, ClientAuth, LogSettings,
        ServerSettings, StoreProbe, SyslogServer, TlsFiles, TlsSettings, TokenFile,
    },
    sections,
    text_form::AsText,
    values::{
        address::FilePath,
        duration::{duration_or, positive_or},
    },
};

const MAX_WORKERS: u16 = 1024;
pub fn server(
    raw: sections::server::ServerSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> ServerSettings {
    let tls = raw.tls.and_then(|raw| tls(raw, &key.name("tls"), scope));
    let listen = raw.listen.map_or_else(
        || vec![([0, 0, 0, 0], 8080).into()],
        |listen| listen.into_iter().map(|at| at.0).collect(),
    );
    if listen.is_empty() && tls.is_none() {
        scope.mistake(&key.name("listen"), "nothing would listen", "name an address, or add [server.tls]");
    }
    if raw.workers.is_some_and(|workers| workers > MAX_WORKERS) {
        scope.mistake(&key.name("workers"), "no machine has that many cores", "write 0 for one a core");
    }
    let workers = match raw.workers.unwrap_or(0) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => usize::from(workers),
    };
    let trusted_proxies: Vec<_> =
        raw.trusted_proxies.unwrap_or_default().into_iter().map(|network| network.0).collect();
    let redirect_to_https = raw.redirect_to_https.unwrap_or(false);
    if redirect_to_https && tls.is_none() && trusted_proxies.is_empty() {
        scope.mistake(
            &key.name("redirect_to_https"),
            "every request would be redirected endlessly: Doorward cannot know which arrived over HTTPS",
            "add [server.tls], or list the proxy at which TLS ends in trusted_proxies",
        );
    }
    ServerSettings {
        allowed_hosts: raw.allowed_hosts.unwrap_or_default().into_iter().map(|host| host.0.0).collect(),
        redirect_to_https,
        hsts: raw.hsts.and_then(|hsts| HeaderValue::try_from(hsts.0.0?).ok()),
        listen,
        tls,
        workers,
        public_url: raw.public_url.map(|url| url.0.0),
        trusted_proxies,
        proxy_protocol: raw.proxy_protocol.unwrap_or_default().into_iter().map(|net| net.0).collect(),
        drain_delay: duration_or(raw.drain_delay, 5),
        drain_timeout: positive_or(raw.drain_timeout, 30),
    }
}

fn tls(
    raw: sections::server::TlsSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<TlsSettings> {
    let listen: Vec<_> = raw.listen.map_or_else(
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
    let first = certificate(raw.cert_file, raw.key_file, key, scope);
    let mut more = Vec::new();
    for (index, raw) in raw.certificate.unwrap_or_default().into_iter().enumerate() {
        let key = key.name("certificate").item(index);
        more.extend(certificate(raw.cert_file, raw.key_file, &key, scope));
    }
    let client_auth = client_auth((raw.client_ca_file, raw.client_auth), key, scope);
    Some(TlsSettings { listen, files: TlsFiles { certificate: first?, more, client_auth } })
}

fn certificate(
    cert_file: Option<AsText<FilePath>>,
    key_file: Option<AsText<FilePath>>,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<CertificateFiles> {
    let (cert, private) = (key.name("cert_file"), key.name("key_file"));
    let cert_file = scope.required(&cert, cert_file, "name the certificate chain, PEM");
    let key_file = scope.required(&private, key_file, "name the private key, PEM");
    Some(CertificateFiles {
        cert_file: scope.resolve_path(&cert, &cert_file?.0),
        key_file: scope.resolve_path(&private, &key_file?.0),
    })
}

fn client_auth(
    (ca_file, mode): (Option<AsText<FilePath>>, Option<sections::server::ClientAuthMode>),
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<ClientAuth> {
    let ca_file = scope.optional_path(&key.name("client_ca_file"), ca_file);
    let required = match (mode, &ca_file) {
        (None | Some(sections::server::ClientAuthMode::Off), None)
        | (Some(sections::server::ClientAuthMode::Off), Some(_)) => {
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
        (Some(sections::server::ClientAuthMode::Optional), Some(_)) => false,
        (None | Some(sections::server::ClientAuthMode::Required), Some(_)) => true,
    };
    ca_file.map(|ca_file| ClientAuth { ca_file, required })
}

/// A shorter token can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

pub fn admin(
    raw: sections::admin::AdminSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> AdminSettings {
    let token_key = key.name("token_file");
    let token = raw.token_file.and_then(|file| {
        let path = scope.resolve_path(&token_key, &file.0.0);
        let secret = scope.secret(key, "token", None, Some(file))?;
        if secret.expose().len() < MIN_TOKEN_BYTES {
            scope.mistake(
                &token_key,
                "this token is too short",
                "write at least 16 characters, such as those of: openssl rand -hex 32",
            );
        }
        Some(TokenFile { path, secret })
    });
    let listen = raw.listen.map_or_else(|| Some(([127, 0, 0, 1], 9901).into()), |listen| listen.0.0);
    let store_probe = match raw.store_probe.unwrap_or_default() {
        sections::admin::StoreProbeName::Off => StoreProbe::Off,
        sections::admin::StoreProbeName::Read => StoreProbe::Read,
        sections::admin::StoreProbeName::Write => StoreProbe::ReadWrite,
    };
    AdminSettings { listen, token, store_probe }
}

pub fn log(raw: sections::log::LogSection, key: &KeyPath, scope: &mut DocumentContext<'_>) -> LogSettings {
    LogSettings {
        level: raw.level.map_or_else(|| "info".to_owned(), |level| level.0.0),
        access: match raw.access {
            None => AccessLogTarget::Stdout,
            Some(AsText(AccessLogTarget::File(path))) => {
                AccessLogTarget::File(scope.resolve_path(&key.name("access"), &path))
            }
            Some(AsText(access)) => access,
        },
        audit: match raw.audit {
            None => AuditLogTarget::Off,
            Some(AsText(AuditLogTarget::File(path))) => {
                AuditLogTarget::File(scope.resolve_path(&key.name("audit"), &path))
            }
            Some(AsText(audit)) => {
                authorities_of_syslog(&audit, &key.name("audit"), scope);
                audit
            }
        },
    }
}

/// Checks the `ca_file` of a syslog server. Without a CA certificate no event could be sent, so such a file is a mistake.
fn authorities_of_syslog(audit: &AuditLogTarget, key: &KeyPath, scope: &mut DocumentContext<'_>) {
    if let AuditLogTarget::Syslog(SyslogServer::Tls { ca_file: Some(file), .. }) = audit
        && let Err(problem) = read_certificates(file)
    {
        let remedy = "write the path of a file with the server's CA certificates after ca_file=";
        scope.mistake(key, format!("{}: {problem}", file.display()), remedy);
    }
}
