//! File descriptors at the start: raises the soft limit to the hard one, and refuses limits that do not fit.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Settings;

/// Without this most systems allow 1,024 descriptors, a limit that exists for programs that use `select`.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, soft = limit.current, "cannot raise the limit of file descriptors");
    }
}

/// Whether the configured number of connections leaves descriptors for the private port, the store and files.
pub fn check(settings: &Settings) -> anyhow::Result<()> {
    let (descriptors, connections) = (settings.limits.descriptors, settings.limits.max_connections);
    let most = descriptors.max_connections();
    if connections > most {
        bail!(
            "limits.max_connections = {connections} does not fit: this process may open {} file descriptors and needs {} of \
             them for other uses (write at most {most}, or raise the hard limit: `ulimit -Hn`, LimitNOFILE= of systemd, \
             --ulimit nofile of Docker)",
            descriptors.available,
            descriptors.reserved
        );
    }
    tracing::info!(
        file_descriptors = descriptors.available,
        reserved = descriptors.reserved,
        max_connections = connections,
        "file descriptors"
    );
    if descriptors.connections_for(connections) < connections {
        tracing::warn!(
            file_descriptors = descriptors.available,
            upstream_connections = descriptors.upstream,
            upgrades = descriptors.upgrades,
            max_connections = connections,
            "not enough file descriptors for all limits at the same time: raise the hard limit, or lower limits.max_connections"
        );
    }
    Ok(())
}
