//! Why a request gets 503 although its client is within its own limits.

use crate::domain::{fairness::Resource, page::StatusPage};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    /// All clients together hold the whole of a resource; for upstream connections: none was free in time.
    Total(Resource),
    /// The request is anonymous, and the last tenth of `limits.max_requests` or `limits.max_connections` is reserved.
    AnonymousReserve,
    /// The host names that tenants claim are not known completely yet.
    HostIndex,
}

impl Overload {
    /// The reason in the access log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Total(Resource::Connection) => "total_connections",
            Self::Total(Resource::Request) => "total_requests",
            Self::Total(Resource::RequestBody) => "total_request_bodies",
            Self::Total(Resource::Upgrade) => "total_upgrades",
            Self::Total(Resource::UpstreamConnection) => "total_upstream_connections",
            Self::Total(Resource::HashSlot) => "total_hash_slots",
            Self::Total(Resource::BufferedBytes) => "total_buffered_bytes",
            Self::Total(Resource::GuardedSignIn) => "total_guarded_sign_ins",
            Self::AnonymousReserve => "total_reserved_for_sessions",
            Self::HostIndex => "host_names_unknown",
        }
    }

    pub const fn page(self) -> StatusPage {
        match self {
            Self::Total(_) | Self::AnonymousReserve => StatusPage::Overloaded,
            Self::HostIndex => StatusPage::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_cause_of_an_overload_has_a_reason_of_its_own() {
        let others = [Overload::AnonymousReserve, Overload::HostIndex];
        let causes: Vec<_> = Resource::ALL.map(Overload::Total).into_iter().chain(others).collect();
        let reasons: HashSet<_> = causes.iter().map(|cause| cause.reason()).collect();
        assert_eq!(reasons.len(), causes.len(), "{reasons:?}");
    }

    #[test]
    fn only_a_limit_of_all_clients_is_shown_as_a_busy_portal() {
        for (cause, page) in [
            (Overload::Total(Resource::BufferedBytes), StatusPage::Overloaded),
            (Overload::AnonymousReserve, StatusPage::Overloaded),
            (Overload::HostIndex, StatusPage::Unavailable),
        ] {
            assert_eq!(cause.page(), page, "{cause:?}");
        }
    }
}
