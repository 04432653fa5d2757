//! Metrics that are looked up when they are asked for, beside those that are counted as they happen.

use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::gauge::Gauge,
    registry::Registry,
};

use crate::{clock::now, proxy::Gate};

/// The OpenMetrics text of everything.
pub fn render(gate: &Gate) -> String {
    let mut registry = Registry::with_prefix("doorward");
    let mut level = |name: &str, help: &str, value: u64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    let tenants = gate.tenants.status();
    level("tenants", "Tenants that have a folder", tenants.tenants as u64);
    level("tenants_cached", "Tenants whose policy is in memory", tenants.cached);
    level("tenant_problems", "Tenants in memory whose file is not in force", tenants.problems as u64);
    level(
        "tenant_file_reads",
        "Looks at tenants' files since the start",
        tenants.reads + tenants.index_reads,
    );
    level("tenant_reloads_ok", "Changed tenant files that came into force", tenants.reloads_ok);
    level("tenant_reloads_failed", "Changed tenant files that could not", tenants.reloads_failed);
    level("upgrades_open", "Open WebSockets and other upgrades", gate.upgrades.open() as u64);
    let dropped = gate.access_log.load().as_ref().map_or(0, |log| log.dropped());
    level("access_log_dropped", "Access log lines dropped because the writer was too slow", dropped);
    let keys = gate.tokens.status(now());
    level("key_sets", "Key sources in use", keys.len() as u64);
    level(
        "key_sets_failing",
        "Key sources whose last reading failed",
        keys.iter().filter(|source| source.failures > 0).count() as u64,
    );
    level(
        "key_set_age_max_seconds",
        "Age of the oldest keys in use",
        keys.iter().filter_map(|source| source.age).max().unwrap_or(0),
    );
    let mut text = String::new();
    // writing to a string does not fail
    let _ = encode_registry(&mut text, &gate.metrics.registry);
    let _ = encode_registry(&mut text, &registry);
    let _ = encode_eof(&mut text);
    text
}
