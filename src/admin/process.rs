//! Metrics of the process, under the names that Prometheus client libraries share.

use procfs::process::Process;
use prometheus_client::{
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use rustix::process::{Resource, getrlimit};

/// Registers what the kernel discloses; a value that cannot be read is left out.
pub fn register(registry: &mut Registry) {
    let Ok(process) = Process::myself() else { return };
    if let Ok(stat) = process.stat() {
        #[expect(clippy::cast_precision_loss, reason = "a float is exact up to 2^53 clock ticks")]
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        registry.register(
            "process_cpu_seconds",
            "User and system CPU time",
            ConstCounter::new(seconds(stat.utime + stat.stime)),
        );
        gauge(registry, "process_virtual_memory_bytes", "Virtual memory", stat.vsize);
        let resident = stat.rss.saturating_mul(procfs::page_size());
        gauge(registry, "process_resident_memory_bytes", "Resident memory", resident);
        gauge(registry, "process_threads", "Threads", stat.num_threads.unsigned_abs());
        if let Ok(boot) = procfs::boot_time_secs() {
            let started = boot.saturating_add(stat.starttime / procfs::ticks_per_second());
            gauge(registry, "process_start_time_seconds", "Start, in seconds since the epoch", started);
        }
    }
    if let Ok(open) = process.fd_count() {
        gauge(registry, "process_open_fds", "Open file descriptors", open as u64);
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        gauge(registry, "process_max_fds", "File descriptors the process may open", limit);
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
}
