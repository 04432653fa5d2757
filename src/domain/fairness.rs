//! Limits on a shared resource for one client, for the networks around it, and for all clients together.

use std::time::Duration;

/// A resource that clients share. Each is counted per client and in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A client's connection to a public listener.
    Connection,
    /// A request from its head to the end of its response; each HTTP/2 stream is one.
    Request,
    /// A request body that has not arrived completely.
    RequestBody,
    /// A WebSocket or another upgraded connection.
    Upgrade,
    /// A connection to an upstream, while it serves a request of the client.
    UpstreamConnection,
    /// A password that is hashed or waits to be hashed.
    HashSlot,
    /// A byte that waits in a buffer for a slow client or portal.
    BufferedBytes,
    /// A sign-in at a `[[guard]]`, from the reservation of its counters until its outcome is recorded.
    GuardedSignIn,
}

impl Resource {
    pub const ALL: [Self; 8] = [
        Self::Connection,
        Self::Request,
        Self::RequestBody,
        Self::Upgrade,
        Self::UpstreamConnection,
        Self::HashSlot,
        Self::BufferedBytes,
        Self::GuardedSignIn,
    ];
    pub const COUNT: usize = Self::ALL.len();
}

/// A limit of one client, named like its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    RequestRate,
    Concurrency(Resource),
}

impl Limit {
    pub const ALL: [Self; Resource::COUNT + 1] = [
        Self::RequestRate,
        Self::Concurrency(Resource::Connection),
        Self::Concurrency(Resource::Request),
        Self::Concurrency(Resource::RequestBody),
        Self::Concurrency(Resource::Upgrade),
        Self::Concurrency(Resource::UpstreamConnection),
        Self::Concurrency(Resource::HashSlot),
        Self::Concurrency(Resource::BufferedBytes),
        Self::Concurrency(Resource::GuardedSignIn),
    ];

    /// The key in `[limits.client]` and the label of the metric.
    pub const fn key(self) -> &'static str {
        match self {
            Self::RequestRate => "requests_per_second",
            Self::Concurrency(Resource::Connection) => "connections",
            Self::Concurrency(Resource::Request) => "requests",
            Self::Concurrency(Resource::RequestBody) => "request_bodies",
            Self::Concurrency(Resource::Upgrade) => "upgrades",
            Self::Concurrency(Resource::UpstreamConnection) => "upstream_connections",
            Self::Concurrency(Resource::HashSlot) => "hash_slots",
            Self::Concurrency(Resource::BufferedBytes) => "buffered_bytes",
            Self::Concurrency(Resource::GuardedSignIn) => "guarded_sign_ins",
        }
    }

    /// The reason in the access log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::RequestRate => "client_limit_requests_per_second",
            Self::Concurrency(Resource::Connection) => "client_limit_connections",
            Self::Concurrency(Resource::Request) => "client_limit_requests",
            Self::Concurrency(Resource::RequestBody) => "client_limit_request_bodies",
            Self::Concurrency(Resource::Upgrade) => "client_limit_upgrades",
            Self::Concurrency(Resource::UpstreamConnection) => "client_limit_upstream_connections",
            Self::Concurrency(Resource::HashSlot) => "client_limit_hash_slots",
            Self::Concurrency(Resource::BufferedBytes) => "client_limit_buffered_bytes",
            Self::Concurrency(Resource::GuardedSignIn) => "client_limit_guarded_sign_ins",
        }
    }

    /// The error text for the client.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::RequestRate => "Too many requests per second from this client",
            Self::Concurrency(Resource::Connection) => "Too many connections of this client at the same time",
            Self::Concurrency(Resource::Request) => "Too many requests of this client at the same time",
            Self::Concurrency(Resource::RequestBody) => "Too many uploads of this client at the same time",
            Self::Concurrency(Resource::Upgrade) => {
                "Too many upgraded connections of this client at the same time"
            }
            Self::Concurrency(Resource::UpstreamConnection) => {
                "Too many requests of this client wait for the portal at the same time"
            }
            Self::Concurrency(Resource::HashSlot) => "Too many sign-ins of this client at the same time",
            Self::Concurrency(Resource::BufferedBytes) => "Too many bytes wait to be read by this client",
            Self::Concurrency(Resource::GuardedSignIn) => {
                "Too many sign-ins of this client at the portal at the same time"
            }
        }
    }
}

/// The scope of a counter: `step` 0 is one client, `steps` is all clients, between them are the
/// networks around the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitScope {
    step: u8,
    steps: u8,
}

impl LimitScope {
    pub const ALL: Self = Self { step: 1, steps: 1 };

    pub const fn new(step: u8, steps: u8) -> Self {
        Self { step, steps }
    }
}

/// The maximum of a resource for one client, and for all clients together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceLimit {
    pub client: usize,
    pub all: usize,
}

impl ResourceLimit {
    /// A fraction of the total, at least 1, for one client.
    pub const fn fraction(all: usize, divisor: usize) -> usize {
        match all.checked_div(divisor) {
            None | Some(0) => 1,
            Some(share) => share,
        }
    }

    /// The limit rises evenly from the client's to the total, so that no network takes everything.
    pub fn limit(self, breadth: LimitScope) -> usize {
        if breadth.step == 0 {
            return self.client;
        }
        let (step, steps) = (u128::from(breadth.step), u128::from(breadth.steps.max(1)));
        let more = self.all.saturating_sub(self.client) as u128 * step / steps;
        self.client.saturating_add(usize::try_from(more).unwrap_or(usize::MAX))
    }
}

/// Requests per second of one client, with a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

impl Rate {
    /// Nanoseconds from one request to the next: the state of a client is one atomic number, for which `Duration` is too wide.
    pub fn interval_nanos(self, breadth: LimitScope) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        SECOND / u64::from(self.per_second.max(1)) / (u64::from(breadth.step) + 1)
    }

    /// Whether a client sends more at once than a browser that opens a page. `arrival_nanos` as in [`Self::conform`].
    pub fn is_burst(self, arrival_nanos: u64, now_nanos: u64) -> bool {
        const REQUESTS_OF_A_PAGE: u64 = 16;
        arrival_nanos.saturating_sub(now_nanos)
            > REQUESTS_OF_A_PAGE * self.interval_nanos(LimitScope::new(0, 1))
    }

    /// The generic cell rate algorithm (ITU-T I.371): `arrival_nanos` is when the next request is due if all came evenly.
    /// `Ok` is the next due time, `Err` how long to wait. A network that is `step` times wider has `step` times more.
    pub fn conform(self, breadth: LimitScope, arrival_nanos: u64, now_nanos: u64) -> Result<u64, Duration> {
        let every = self.interval_nanos(breadth);
        let tolerance =
            every.saturating_mul(u64::from(self.burst)).saturating_mul(u64::from(breadth.step) + 1);
        let next = arrival_nanos.max(now_nanos).saturating_add(every);
        match next.saturating_sub(now_nanos).checked_sub(tolerance) {
            None | Some(0) => Ok(next),
            Some(early) => Err(Duration::from_nanos(early)),
        }
    }
}

/// Whether anonymous requests are rejected: a tenth of the total is reserved for authenticated sessions.
pub const fn is_overloaded(in_use: usize, all: usize) -> bool {
    in_use > all.saturating_sub(all / 10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wider_network_has_a_larger_share_and_never_all() {
        let share = ResourceLimit { client: 2500, all: 10_000 };
        for (breadth, limit) in [
            (LimitScope::new(0, 2), 2500),
            (LimitScope::new(1, 2), 6250),
            (LimitScope::new(0, 3), 2500),
            (LimitScope::new(1, 3), 5000),
            (LimitScope::new(2, 3), 7500),
            (LimitScope::ALL, 10_000),
        ] {
            assert_eq!(share.limit(breadth), limit, "{breadth:?}");
        }
    }

    #[test]
    fn every_resource_has_its_limit_and_its_reason() {
        for resource in Resource::ALL {
            assert!(Limit::ALL.contains(&Limit::Concurrency(resource)), "{resource:?}");
        }
        for limit in Limit::ALL {
            assert_eq!(limit.reason().strip_prefix("client_limit_"), Some(limit.key()));
        }
    }

    #[test]
    fn a_share_is_at_least_one() {
        for (all, divisor, share) in [(0, 4, 1), (1, 4, 1), (7, 4, 1), (8, 4, 2), (1024, 4, 256), (5, 0, 1)] {
            assert_eq!(ResourceLimit::fraction(all, divisor), share, "{all}/{divisor}");
        }
    }

    #[test]
    fn reserves_a_tenth_for_authenticated_sessions() {
        for (in_use, all, overloaded) in
            [(0, 10, false), (9, 10, false), (10, 10, true), (91, 100, true), (90, 100, false), (1, 1, false)]
        {
            assert_eq!(is_overloaded(in_use, all), overloaded, "{in_use} of {all}");
        }
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = Rate { per_second: 10, burst: 3 };
        let mut arrival = 0;
        let mut passes = |millis: u64| match rate.conform(LimitScope::new(0, 2), arrival, millis * MS) {
            Ok(next) => {
                arrival = next;
                Ok(())
            }
            Err(wait) => Err(wait.as_millis()),
        };
        assert_eq!([passes(1000), passes(1000), passes(1000)], [Ok(()); 3]);
        assert_eq!([passes(1000), passes(1060)], [Err(100), Err(40)]);
        assert_eq!([passes(1100), passes(1100)], [Ok(()), Err(100)]);
        assert_eq!(
            [passes(9000), passes(9000), passes(9000)],
            [Ok(()); 3],
            "an idle client has its burst again"
        );
        assert_eq!(passes(9000), Err(100));
    }

    #[test]
    fn more_than_sixteen_requests_at_once_are_a_burst() {
        let rate = Rate { per_second: 1000, burst: 2000 };
        for (due, now, is_burst) in
            [(0, 1000, false), (1016, 1000, false), (1017, 1000, true), (1017, 1001, false)]
        {
            assert_eq!(rate.is_burst(due * MS, now * MS), is_burst, "{due} at {now}");
        }
    }

    proptest! {
        #[test]
        fn no_more_than_burst_and_rate_pass(rate in 1..1000_u32, burst in 1..100_u32, gaps in prop::collection::vec(0..50_u64, 1..300)) {
            let limit = Rate { per_second: rate, burst };
            let (mut arrival, mut now, mut passed) = (0, 1_000_000_000, 0_u64);
            let start = now;
            for gap in gaps {
                now += gap * MS;
                if let Ok(next) = limit.conform(LimitScope::new(0, 2), arrival, now) {
                    arrival = next;
                    passed += 1;
                }
            }
            let most = u64::from(burst) + (now - start) * u64::from(rate) / 1_000_000_000 + 1;
            prop_assert!(passed <= most, "{passed} of {most}");
        }
    }
}
