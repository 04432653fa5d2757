//! Metrics that are read when they are scraped, beside those that are counted as they happen.

use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{
        counter::ConstCounter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        info::Info,
    },
    registry::Registry,
};

use super::process;
use crate::{
    domain::fairness::Resource,
    proxy::ProxyState,
    server::ServerCertificates,
    telemetry::{
        metrics::{Count, ReloadLabels, ReloadResult},
        store_state::StoreState,
    },
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabels {
    file: String,
}

/// The OpenMetrics text of all metrics.
pub fn render(state: &ProxyState, store: &StoreState, certificates: &ServerCertificates) -> String {
    let mut registry = Registry::with_prefix("doorward");
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "The version that runs", Info::new(version));
    let tenants = state.tenants.status();
    registry.register(
        "tenant_file_reads",
        "Reads of tenants' files since the start",
        ConstCounter::new(tenants.reads + tenants.index_reads),
    );
    let reloads = Family::<ReloadLabels, Count>::default();
    for (result, number) in
        [(ReloadResult::ok, tenants.reloads_ok), (ReloadResult::failed, tenants.reloads_failed)]
    {
        reloads.get_or_create(&ReloadLabels { result }).inc_by(number);
    }
    registry.register("tenant_reloads", "Reloads of tenants' files by result", reloads);
    let expiries = Family::<CertificateLabels, Gauge>::default();
    for (file, at) in certificates.expiries() {
        let labels = CertificateLabels { file: file.display().to_string() };
        expiries.get_or_create(&labels).set(i64::try_from(at.as_seconds()).unwrap_or(i64::MAX));
    }
    registry.register(
        "certificate_expiry_timestamp_seconds",
        "When a certificate of a listener expires, in seconds since the epoch",
        expiries,
    );
    let mut gauge = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    gauge("tenants", "Tenants that have a folder", tenants.tenants as u64);
    gauge("tenants_cached", "Tenants whose policy is in memory", tenants.cached);
    gauge("tenant_problems", "Tenants whose file is not in force", tenants.problems as u64);
    gauge(
        "portal_connections",
        "Open connections to the portal, without upgrades and the first HTTP/2 connection of each worker",
        state.portal_connections.open() as u64,
    );
    let limits = state.settings.load().limits.clone();
    gauge(
        "file_descriptors_limit",
        "File descriptors this process may open",
        limits.descriptors.available as u64,
    );
    gauge(
        "connections_limit",
        "Client connections at a time, as configured and as file descriptors allow",
        limits.max_connections.min(limits.descriptors.max_connections()) as u64,
    );
    gauge(
        "buffered_bytes",
        "Bytes reserved for slow clients and unread request bodies, against limits.max_buffered_bytes",
        state.clients.all().held(Resource::BufferedBytes) as u64,
    );
    gauge(
        "request_bodies_open",
        "Request bodies that are arriving, against limits.max_request_bodies",
        state.clients.all().held(Resource::RequestBody) as u64,
    );
    gauge("upgrades_open", "Open WebSockets and other upgrades", state.open_upgrades() as u64);
    if state.accounts.is_some() {
        gauge("store_up", "1 while the store of accounts answers", store.down.is_none().into());
        gauge("store_writable", "1 while the store of accounts takes changes", store.is_healthy().into());
    }
    let keys = state.tokens.status(state.clock.now());
    gauge("key_sets", "Key sources in use", keys.len() as u64);
    gauge(
        "key_sets_failing",
        "Key sources whose last reading failed",
        keys.iter().filter(|source| source.failures > 0).count() as u64,
    );
    gauge(
        "key_set_age_max_seconds",
        "Age of the oldest keys in use",
        keys.iter().filter_map(|source| source.age).max().unwrap_or_default().as_secs(),
    );
    let mut unprefixed = Registry::default();
    process::register(&mut unprefixed);
    let mut text = String::new();
    // writing to a string does not fail
    let _ = encode_registry(&mut text, &state.metrics.registry);
    let _ = encode_registry(&mut text, &registry);
    let _ = encode_registry(&mut text, &unprefixed);
    let _ = encode_eof(&mut text);
    text
}
