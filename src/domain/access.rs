//! The decision: may this identity use this route of this tenant?

use super::{
    identity::Identity,
    route::{Access, Route},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allow(Why),
    /// The visitor has to prove who they are. How that is said (302 or 401) depends on the caller, not on
    /// the decision.
    SignIn(Why),
}

/// The reason, for the access log, the metrics and `doorward explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    OpenRoute,
    SignedIn,
    AnonymousModeOn,
    AnonymousModeOff,
    RouteNeedsUser,
    StrangerFromOtherTenant,
}

/// Pure and total. `anonymous` is the tenant's anonymous mode.
pub fn decide(anonymous: bool, route: &Route, identity: &Identity) -> Decision {
    match (route.access, identity) {
        (Access::Open, _) => Decision::Allow(Why::OpenRoute),
        (Access::Anonymous | Access::SignedIn, Identity::User(_)) => Decision::Allow(Why::SignedIn),
        (Access::Anonymous, Identity::Anonymous | Identity::Stranger(_)) if anonymous => {
            Decision::Allow(Why::AnonymousModeOn)
        }
        (Access::Anonymous | Access::SignedIn, Identity::Stranger(_)) => {
            Decision::SignIn(Why::StrangerFromOtherTenant)
        }
        (Access::Anonymous, Identity::Anonymous) => Decision::SignIn(Why::AnonymousModeOff),
        (Access::SignedIn, Identity::Anonymous) => Decision::SignIn(Why::RouteNeedsUser),
    }
}

impl Why {
    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenRoute => "open_route",
            Self::SignedIn => "signed_in",
            Self::AnonymousModeOn => "anonymous_mode_on",
            Self::AnonymousModeOff => "anonymous_mode_off",
            Self::RouteNeedsUser => "route_needs_user",
            Self::StrangerFromOtherTenant => "stranger_from_other_tenant",
        }
    }
}
