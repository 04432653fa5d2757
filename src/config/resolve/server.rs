//! `[server]`, `[admin]`, `[log]`, `[limits]`

use std::{net::Ipv6Addr, ops::RangeInclusive, sync::Arc, time::Duration};

use http::HeaderValue;
use ipnet::IpNet;

use super::{DocumentContext, memory_limit};
use crate::{
    config::{
        certificates::read_certificates,
        document::KeyPath,
        model::{
            AccessLogTarget, AdminSettings, AuditLogTarget, CertificateFiles, ClientAuth, ClientLimits,
            LimitSettings, LogSettings, ServerSettings, StoreProbe, SyslogServer, TlsFiles, TlsSettings,
            TokenFile, Upstream,
        },
        raw::{
            self,
            text_form::AsText,
            values::{address::FilePath, duration::Positive},
        },
    },
    domain::{
        descriptors::Descriptors,
        fairness::{Rate, ResourceLimit},
        transfer_rate::MinRate,
    },
};

const MAX_WORKERS: u16 = 1024;
/// Bytes per second, as in Kestrel; a mobile phone on a poor connection still reaches a few hundred.
const DEFAULT_MIN_RATE: u32 = 240;
const MIN_BUFFERED_BYTES: usize = 1024 * 1024;

pub fn server(
    raw: raw::server::ServerSection,
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
        drain_delay: duration(raw.drain_delay, 5),
        drain_timeout: positive(raw.drain_timeout, 30),
    }
}

fn tls(raw: raw::server::TlsSection, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Option<TlsSettings> {
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
    (ca_file, mode): (Option<AsText<FilePath>>, Option<raw::server::ClientAuthMode>),
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<ClientAuth> {
    let ca_file = scope.optional_path(&key.name("client_ca_file"), ca_file);
    let required = match (mode, &ca_file) {
        (None | Some(raw::server::ClientAuthMode::Off), None)
        | (Some(raw::server::ClientAuthMode::Off), Some(_)) => {
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
        (Some(raw::server::ClientAuthMode::Optional), Some(_)) => false,
        (None | Some(raw::server::ClientAuthMode::Required), Some(_)) => true,
    };
    ca_file.map(|ca_file| ClientAuth { ca_file, required })
}

/// A shorter token can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

pub fn admin(raw: raw::admin::AdminSection, key: &KeyPath, scope: &mut DocumentContext<'_>) -> AdminSettings {
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
        raw::admin::StoreProbeName::Off => StoreProbe::Off,
        raw::admin::StoreProbeName::Read => StoreProbe::Read,
        raw::admin::StoreProbeName::Write => StoreProbe::ReadWrite,
    };
    AdminSettings { listen, token, store_probe }
}

pub fn log(raw: raw::log::LogSection, key: &KeyPath, scope: &mut DocumentContext<'_>) -> LogSettings {
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

/// `hash_slots` is the limit of all clients; `descriptors` returns the file descriptors beside a number of upgrades.
pub fn limits(
    raw: raw::limits::LimitsSection,
    upstreams: &[Arc<Upstream>],
    (hash_slots, descriptors): (usize, impl FnOnce(usize) -> Descriptors),
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> LimitSettings {
    let mut bounded = |name: &str, written: Option<u32>, default: u32, range: RangeInclusive<u32>| {
        let value = written.unwrap_or(default);
        if !range.contains(&value) {
            scope.mistake(
                &key.name(name),
                format!("{value} is out of range"),
                &format!("write a number from {} to {}", range.start(), range.end()),
            );
        }
        value as usize
    };
    let max_requests = bounded("max_requests", raw.max_requests, 10_000, 1..=10_000_000);
    let max_request_bodies = bounded("max_request_bodies", raw.max_request_bodies, 2_000, 1..=10_000_000);
    let max_guarded_sign_ins = bounded("max_guarded_sign_ins", raw.max_guarded_sign_ins, 512, 1..=1_000_000);
    let max_upgrades = bounded("max_upgrades", raw.max_upgrades, 2_000, 0..=10_000_000);
    let descriptors = descriptors(max_upgrades);
    let default_connections = u32::try_from(descriptors.connections_for(10_000)).unwrap_or(u32::MAX);
    let max_connections =
        bounded("max_connections", raw.max_connections, default_connections, 1..=10_000_000);
    let grace = positive(raw.min_rate_grace, 60);
    let rate =
        |written: Option<u32>| MinRate { bytes_per_second: written.unwrap_or(DEFAULT_MIN_RATE), grace };
    let max_buffered_bytes = raw.max_buffered_bytes.map_or_else(memory_limit::default_buffer_budget, bytes);
    let limits = LimitSettings {
        max_connections,
        max_header_bytes: bounded("max_header_bytes", raw.max_header_bytes, 32_768, 16_384..=1_048_576),
        max_headers: bounded("max_headers", raw.max_headers, 100, 16..=1_000),
        max_token_bytes: bounded("max_token_bytes", raw.max_token_bytes, 8_192, 256..=1_048_576),
        max_upgrades,
        max_requests,
        max_request_bodies,
        header_timeout: positive(raw.header_timeout, 10),
        keep_alive: positive(raw.keep_alive, 75),
        write_timeout: positive(raw.write_timeout, 60),
        download_rate: rate(raw.min_download_rate),
        upload_rate: rate(raw.min_upload_rate),
        client: Arc::new(client_limits(
            raw.client.unwrap_or_default(),
            &GlobalLimits {
                max_connections,
                max_requests,
                max_request_bodies,
                max_upgrades,
                upstreams,
                hash_slots,
                max_buffered_bytes,
                max_guarded_sign_ins,
            },
            &key.name("client"),
            scope,
        )),
        descriptors,
    };
    if max_buffered_bytes < MIN_BUFFERED_BYTES {
        scope.mistake(
            &key.name("max_buffered_bytes"),
            format!("{max_buffered_bytes} is out of range"),
            "write 1048576 or more, or leave it out",
        );
    }
    // an out-of-range max_header_bytes has been reported already
    if limits.max_token_bytes >= limits.max_header_bytes.max(16_384) {
        scope.mistake(
            &key.name("max_token_bytes"),
            "a token of that size does not fit into max_header_bytes",
            "make it less than max_header_bytes",
        );
    }
    limits
}

/// The limits of all clients together.
struct GlobalLimits<'a> {
    max_connections: usize,
    max_requests: usize,
    max_request_bodies: usize,
    max_upgrades: usize,
    upstreams: &'a [Arc<Upstream>],
    hash_slots: usize,
    max_buffered_bytes: usize,
    max_guarded_sign_ins: usize,
}

fn client_limits(
    raw: raw::limits::ClientLimitsSection,
    totals: &GlobalLimits<'_>,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> ClientLimits {
    let mut at_least_1 = |name: &str, written: Option<usize>, default: usize| {
        if written == Some(0) {
            scope.mistake(
                &key.name(name),
                "no client could be served",
                "write at least 1, or remove the key",
            );
        }
        written.map_or(default, |written| written.max(1))
    };
    let requests = totals.upstreams.iter().map(|upstream| upstream.max_requests());
    let (smallest, sum) = (requests.clone().min().unwrap_or(1), requests.fold(0, usize::saturating_add));
    let number = |written: Option<u32>| written.map(|written| written as usize);
    let mut share_of = |name: &str, written: Option<usize>, all: usize, divisor: usize| ResourceLimit {
        client: at_least_1(name, written, ResourceLimit::fraction(all, divisor)),
        all,
    };
    let buffered_bytes =
        share_of("buffered_bytes", raw.buffered_bytes.map(bytes), totals.max_buffered_bytes, 2);
    let mut share = |name: &str, written: Option<u32>, all: usize, divisor: usize| {
        share_of(name, number(written), all, divisor)
    };
    ClientLimits {
        connections: share("connections", raw.connections, totals.max_connections, 2),
        requests: share("requests", raw.requests, totals.max_requests, 2),
        request_bodies: share("request_bodies", raw.request_bodies, totals.max_request_bodies, 4),
        upgrades: share("upgrades", raw.upgrades, totals.max_upgrades, 2),
        upstream_connections: ResourceLimit {
            // requests that wait for a connection in the fair queue count too
            all: sum.saturating_add(sum / 4).saturating_add(16),
            ..share("upstream_connections", raw.upstream_connections, smallest, 4)
        },
        hash_slots: share("hash_slots", raw.hash_slots, totals.hash_slots, 4),
        buffered_bytes,
        guarded_sign_ins: share("guarded_sign_ins", raw.guarded_sign_ins, totals.max_guarded_sign_ins, 8),
        request_rate: Rate {
            per_second: at_least_1("requests_per_second", number(raw.requests_per_second), 1_000)
                .try_into()
                .unwrap_or(u32::MAX),
            burst: at_least_1("request_burst", number(raw.request_burst), 5_000)
                .try_into()
                .unwrap_or(u32::MAX),
        },
        exempt: raw.exempt.map_or_else(loopback, |nets| nets.into_iter().map(|net| net.0).collect()),
    }
}

fn bytes(written: u64) -> usize {
    usize::try_from(written).unwrap_or(usize::MAX)
}

fn loopback() -> Vec<IpNet> {
    [IpNet::new([127, 0, 0, 0].into(), 8), IpNet::new(Ipv6Addr::LOCALHOST.into(), 128)]
        .into_iter()
        .flatten()
        .collect()
}

pub fn duration(written: Option<AsText<Duration>>, default_seconds: u64) -> Duration {
    written.map_or(Duration::from_secs(default_seconds), |duration| duration.0)
}

pub fn positive(written: Option<AsText<Positive>>, default_seconds: u64) -> Duration {
    written.map_or(Duration::from_secs(default_seconds), |duration| duration.0.0)
}
