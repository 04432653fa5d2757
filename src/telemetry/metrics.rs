//! Prometheus metrics. Label values are constants, never client input, so their number is bounded; every series is
//! resolved once at start, so that counting is one atomic addition.

use std::sync::atomic::{AtomicI64, AtomicU64};

use http::StatusCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

use super::{account_metrics::AccountMetrics, log_throttle::LogThrottle};
use crate::domain::{fairness::Limit, time::Timestamp};

pub type Count = Counter<u64, AtomicU64>;
pub type Level = Gauge<i64, AtomicI64>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label values")]
pub enum RequestOutcome {
    forwarded,
    local,
    sign_in,
    unauthorized,
    forbidden,
    bad_request,
    unknown_tenant,
    unavailable,
    portal_error,
    /// The client has reached a limit.
    limited,
}

impl RequestOutcome {
    /// The word used in the access log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::forwarded => "forwarded",
            Self::local => "local",
            Self::sign_in => "sign_in",
            Self::unauthorized => "unauthorized",
            Self::forbidden => "forbidden",
            Self::bad_request => "bad_request",
            Self::unknown_tenant => "unknown_tenant",
            Self::unavailable => "unavailable",
            Self::portal_error => "portal_error",
            Self::limited => "limited",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    outcome: RequestOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label values")]
pub enum PortalError {
    connect,
    connect_timeout,
    answer_timeout,
    broken,
    upgrade,
    too_many,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PortalErrorLabels {
    kind: PortalError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label values")]
pub enum ReloadResult {
    ok,
    failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReloadLabels {
    pub result: ReloadResult,
}

/// Outcome of a guarded sign-in at the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label values")]
pub enum GuardedLoginResult {
    succeeded,
    /// Neither success nor failure, as far as it is configured.
    neutral,
    failed,
    /// Locked.
    refused,
    /// The user name is ambiguous or unreadable.
    ambiguous,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GuardedLabels {
    result: GuardedLoginResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: &'static str,
}

/// By the first digit of the status code.
const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    resource: &'static str,
}

/// Why a connection ended before it served a request. Each kind is logged once a second at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionFault {
    /// `accept` failed.
    Accept,
    /// The limit of one client was reached.
    ClientLimit,
    /// The limit of all clients was reached.
    TotalLimit,
    /// The TLS handshake failed or took too long.
    TlsHandshake,
    /// The PROXY protocol header was missing or malformed.
    ProxyHeader,
}

impl ConnectionFault {
    const COUNT: usize = 5;
}

pub struct Metrics {
    pub registry: Registry,
    requests: [Count; OUTCOMES.len()],
    responses: [Count; STATUS_CLASSES.len()],
    portal_response_time: Family<UpstreamLabels, Histogram, fn() -> Histogram>,
    portal_errors: [Count; PORTAL_ERRORS.len()],
    portal_error_throttles: [LogThrottle; PORTAL_ERRORS.len()],
    pub requests_in_flight: Level,
    pub request_duration: Histogram,
    pub connections: Level,
    pub connections_refused: Count,
    pub requests_shed: Count,
    pub tls_handshakes_failed: Count,
    pub proxy_headers_rejected: Count,
    pub unlisted_proxy_requests: Count,
    connection_faults: [LogThrottle; ConnectionFault::COUNT],
    token_rejections: LogThrottle,
    pub reloads: Family<ReloadLabels, Count>,
    pub tokens_cached: Count,
    pub tokens_checked: Count,
    pub access_log_dropped: Count,
    pub audit_log_dropped: Count,
    pub accounts: AccountMetrics,
    guarded: [Count; GUARDED.len()],
    client_limit_rejections: [Count; Limit::ALL.len()],
}

const OUTCOMES: [RequestOutcome; 10] = [
    RequestOutcome::forwarded,
    RequestOutcome::local,
    RequestOutcome::sign_in,
    RequestOutcome::unauthorized,
    RequestOutcome::forbidden,
    RequestOutcome::bad_request,
    RequestOutcome::unknown_tenant,
    RequestOutcome::unavailable,
    RequestOutcome::portal_error,
    RequestOutcome::limited,
];

const PORTAL_ERRORS: [PortalError; 6] = [
    PortalError::connect,
    PortalError::connect_timeout,
    PortalError::answer_timeout,
    PortalError::broken,
    PortalError::upgrade,
    PortalError::too_many,
];

const GUARDED: [GuardedLoginResult; 5] = [
    GuardedLoginResult::succeeded,
    GuardedLoginResult::neutral,
    GuardedLoginResult::failed,
    GuardedLoginResult::refused,
    GuardedLoginResult::ambiguous,
];

/// Seconds; from a cached page to a long download.
const DURATIONS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("doorward");
        let mut new = MetricRegistrar(&mut registry);
        let requests: Family<RequestLabels, Count> = new.metric("requests", "Requests by outcome");
        let portal_errors: Family<PortalErrorLabels, Count> =
            new.metric("portal_errors", "Requests without a response of the portal, by error");
        let responses: Family<StatusLabels, Count> =
            new.metric("responses", "Responses by class of the status code");
        let portal_response_time: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(DURATIONS));
        new.add(
            "portal_response_seconds",
            "From the forwarding of a request to the head of the portal's response",
            &portal_response_time,
        );
        let reloads: Family<ReloadLabels, Count> =
            new.metric("config_reloads", "Reloads of deployment.toml by result");
        for result in [ReloadResult::ok, ReloadResult::failed] {
            drop(reloads.get_or_create(&ReloadLabels { result }));
        }
        let request_duration = Histogram::new(DURATIONS);
        new.add(
            "request_duration_seconds",
            "From the head of a request to the end of its response",
            &request_duration,
        );
        let guarded: Family<GuardedLabels, Count> =
            new.metric("guarded_sign_ins", "Guarded sign-ins at the portal by result");
        let client_limits: Family<LimitLabels, Count> = new.metric(
            "client_limit_rejections",
            "Connections and requests rejected because of a limit in [limits.client]",
        );
        let accounts = AccountMetrics::default();
        accounts.register(new.0);
        Self {
            requests: OUTCOMES.map(|outcome| requests.get_or_create_owned(&RequestLabels { outcome })),
            responses: STATUS_CLASSES.map(|status| responses.get_or_create_owned(&StatusLabels { status })),
            portal_response_time,
            portal_errors: PORTAL_ERRORS
                .map(|kind| portal_errors.get_or_create_owned(&PortalErrorLabels { kind })),
            portal_error_throttles: Default::default(),
            requests_in_flight: new.metric("requests_in_flight", "Requests whose response has not ended"),
            request_duration,
            connections: new.metric("connections", "Open client connections"),
            connections_refused: new.metric(
                "connections_refused",
                "Connections closed at once because of limits.max_connections",
            ),
            requests_shed: new
                .metric("requests_shed", "Requests rejected because limits.max_buffered_bytes was reached"),
            tls_handshakes_failed: new
                .metric("tls_handshakes_failed", "TLS handshakes that failed or took too long"),
            proxy_headers_rejected: new.metric(
                "proxy_headers_rejected",
                "Connections closed because their PROXY protocol header was missing or malformed",
            ),
            unlisted_proxy_requests: new.metric(
                "unlisted_proxy_requests",
                "Requests with a proxy's headers from a peer that is not in server.trusted_proxies",
            ),
            connection_faults: Default::default(),
            token_rejections: LogThrottle::default(),
            reloads,
            tokens_cached: new.metric("tokens_cached", "Tokens whose verification was cached"),
            tokens_checked: new.metric("tokens_checked", "Tokens that were verified in full"),
            access_log_dropped: new.metric(
                "access_log_dropped",
                "Access log lines lost: the log could not be written, or not as fast as they came",
            ),
            audit_log_dropped: new
                .metric("audit_log_dropped", "Audit events lost: the audit log could not be written"),
            accounts,
            client_limit_rejections: Limit::ALL
                .map(|limit| client_limits.get_or_create_owned(&LimitLabels { resource: limit.key() })),
            guarded: GUARDED.map(|result| guarded.get_or_create_owned(&GuardedLabels { result })),
            registry,
        }
    }
}

/// Creates a metric and registers it.
struct MetricRegistrar<'a>(&'a mut Registry);

impl MetricRegistrar<'_> {
    fn metric<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        let metric = M::default();
        self.add(name, help, &metric);
        metric
    }

    fn add(&mut self, name: &str, help: &str, metric: &(impl Metric + Clone)) {
        self.0.register(name, help, metric.clone());
    }
}

impl Metrics {
    pub fn count(&self, outcome: RequestOutcome) {
        if let Some(counter) = self.requests.get(outcome as usize) {
            counter.inc();
        }
    }

    pub fn count_response(&self, status: StatusCode) {
        if let Some(counter) =
            usize::from(status.as_u16() / 100).checked_sub(1).and_then(|class| self.responses.get(class))
        {
            counter.inc();
        }
    }

    /// The histogram of one upstream, which its path identifies.
    pub fn portal_response_time(&self, upstream: &str) -> Histogram {
        self.portal_response_time.get_or_create_owned(&UpstreamLabels { upstream: upstream.to_owned() })
    }

    pub fn count_guarded(&self, result: GuardedLoginResult) {
        if let Some(counter) = self.guarded.get(result as usize) {
            counter.inc();
        }
    }

    /// Rejections because of a limit of one client.
    pub fn client_limit(&self, limit: Limit) -> Count {
        let mut counters = Limit::ALL.iter().zip(&self.client_limit_rejections);
        counters.find(|(known, _)| **known == limit).map(|(_, counter)| counter.clone()).unwrap_or_default()
    }

    pub fn count_portal_error(&self, kind: PortalError) {
        if let Some(counter) = self.portal_errors.get(kind as usize) {
            counter.inc();
        }
    }

    /// Whether to write a log line, and how many of the kind were suppressed since the last one.
    pub fn throttle_connection_fault_log(&self, fault: ConnectionFault, now: Timestamp) -> Option<u64> {
        self.connection_faults.get(fault as usize)?.admit(now)
    }

    /// Whether to write a log line, and how many of the kind were suppressed since the last one.
    pub fn throttle_token_log(&self, now: Timestamp) -> Option<u64> {
        self.token_rejections.admit(now)
    }

    /// Whether to write a log line, and how many of the kind were suppressed since the last one.
    pub fn throttle_portal_error_log(&self, kind: PortalError, now: Timestamp) -> Option<u64> {
        self.portal_error_throttles.get(kind as usize)?.admit(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_the_index_of_its_discriminant() {
        for (place, outcome) in OUTCOMES.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
        for (place, kind) in PORTAL_ERRORS.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
        assert_eq!(ConnectionFault::ProxyHeader as usize, ConnectionFault::COUNT - 1);
    }
}
