//! Divides the file descriptors of the process between client connections and everything else.

/// The descriptors of the process, and their uses beside client connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// The hard limit: the soft one is raised to it at the start.
    pub available: usize,
    /// For the private port, the management API, the store, files and the workers themselves.
    pub reserved: usize,
    /// Connections to upstreams, at most.
    pub upstream: usize,
    /// Upgrades; each also uses a connection to an upstream.
    pub upgrades: usize,
}

impl Descriptors {
    /// The most client connections that leave the reserve untouched.
    pub const fn max_connections(self) -> usize {
        self.available.saturating_sub(self.reserved)
    }

    /// The wanted number of client connections, reduced so that upstream connections find descriptors as well.
    pub fn connections_for(self, wanted: usize) -> usize {
        let spare = self.max_connections();
        let beside_upstreams = spare.saturating_sub(self.upstream);
        // with fewer connections than upgrades are allowed each may be an upgrade
        let beside_upgrades = beside_upstreams.saturating_sub(self.upgrades).max(beside_upstreams / 2);
        // upstreams whose limit does not fit must not leave clients without connections
        beside_upgrades.max(spare / 3).clamp(1, wanted.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        for (available, connections) in [
            (usize::MAX, 10_000),
            (20_000, 10_000),
            (13_124, 10_000),
            (13_123, 9_999),
            (4_096, 1_486),
            (1_024, 308),
            (100, 1),
            (0, 1),
        ] {
            let descriptors = Descriptors { available, reserved: 100, upstream: 1024, upgrades: 2000 };
            assert_eq!(descriptors.connections_for(10_000), connections, "{available}");
            assert!(connections == 1 || connections <= descriptors.max_connections());
        }
    }
}
