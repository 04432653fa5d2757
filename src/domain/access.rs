//! The decision: may this identity use this route of this tenant?

use super::{
    identity::Identity,
    route::{AccessLevel, Route},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allow(DecisionReason),
    /// The user has to authenticate. Whether the response is a 302 or a 401 depends on the caller, not on
    /// the decision.
    SignIn(DecisionReason),
}

/// The reason, for the access log, the metrics and `doorward explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionReason {
    OpenRoute,
    SignedIn,
    AnonymousModeOn,
    AnonymousModeOff,
    RouteNeedsUser,
    ForeignUser,
    UpgradeNeedsUser,
}

/// Pure and total. `anonymous` is the tenant's anonymous mode.
pub fn decide(anonymous: bool, route: &Route, identity: &Identity) -> Decision {
    match (route.access, identity) {
        (AccessLevel::Open, _) => Decision::Allow(DecisionReason::OpenRoute),
        (AccessLevel::Anonymous | AccessLevel::SignedIn, Identity::User(_)) => {
            Decision::Allow(DecisionReason::SignedIn)
        }
        (AccessLevel::Anonymous, Identity::Anonymous | Identity::ForeignUser(_)) if anonymous => {
            Decision::Allow(DecisionReason::AnonymousModeOn)
        }
        (AccessLevel::Anonymous | AccessLevel::SignedIn, Identity::ForeignUser(_)) => {
            Decision::SignIn(DecisionReason::ForeignUser)
        }
        (AccessLevel::Anonymous, Identity::Anonymous) => Decision::SignIn(DecisionReason::AnonymousModeOff),
        (AccessLevel::SignedIn, Identity::Anonymous) => Decision::SignIn(DecisionReason::RouteNeedsUser),
    }
}

impl DecisionReason {
    /// A description, for `explain`.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::OpenRoute => "allowed: this route is open to all requests",
            Self::SignedIn => "allowed: signed in",
            Self::AnonymousModeOn => "allowed: the tenant's anonymous mode is on",
            Self::AnonymousModeOff => {
                "sign-in: the tenant's anonymous mode is off, and the request is not authenticated"
            }
            Self::RouteNeedsUser => {
                "sign-in: this route requires an authenticated user, independently of the anonymous mode"
            }
            Self::ForeignUser => {
                "sign-in: the token belongs to another tenant, which this tenant does not allow"
            }
            Self::UpgradeNeedsUser => {
                "sign-in: the request switches protocols, which needs an authenticated user on this route"
            }
        }
    }

    /// The value in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenRoute => "open_route",
            Self::SignedIn => "signed_in",
            Self::AnonymousModeOn => "anonymous_mode_on",
            Self::AnonymousModeOff => "anonymous_mode_off",
            Self::RouteNeedsUser => "route_needs_user",
            Self::ForeignUser => "user_of_other_tenant",
            Self::UpgradeNeedsUser => "upgrade_needs_user",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        identity::{CrossTenantAccess, User},
        route::RouteKind,
        tenant::TenantId,
        time::Timestamp,
    };

    fn user(tenant: &str) -> Arc<User> {
        Arc::new(User {
            name: "alice".into(),
            tenant: TenantId::parse(tenant).unwrap(),
            email: None,
            display_name: None,
            roles: vec![],
            scopes: vec![],
            expires_at: Timestamp::EPOCH,
        })
    }

    #[test]
    fn every_case_is_decided() {
        use AccessLevel::{Anonymous, Open, SignedIn};
        use Decision::{Allow, SignIn};
        let visitor = Identity::Anonymous;
        let alice = Identity::User(user("acme.com"));
        let foreign_user = Identity::ForeignUser(user("other.com"));
        for (access, identity, when_open, when_closed) in [
            (Open, &visitor, Allow(DecisionReason::OpenRoute), Allow(DecisionReason::OpenRoute)),
            (Open, &alice, Allow(DecisionReason::OpenRoute), Allow(DecisionReason::OpenRoute)),
            (Open, &foreign_user, Allow(DecisionReason::OpenRoute), Allow(DecisionReason::OpenRoute)),
            (
                Anonymous,
                &visitor,
                Allow(DecisionReason::AnonymousModeOn),
                SignIn(DecisionReason::AnonymousModeOff),
            ),
            (Anonymous, &alice, Allow(DecisionReason::SignedIn), Allow(DecisionReason::SignedIn)),
            (
                Anonymous,
                &foreign_user,
                Allow(DecisionReason::AnonymousModeOn),
                SignIn(DecisionReason::ForeignUser),
            ),
            (
                SignedIn,
                &visitor,
                SignIn(DecisionReason::RouteNeedsUser),
                SignIn(DecisionReason::RouteNeedsUser),
            ),
            (SignedIn, &alice, Allow(DecisionReason::SignedIn), Allow(DecisionReason::SignedIn)),
            (
                SignedIn,
                &foreign_user,
                SignIn(DecisionReason::ForeignUser),
                SignIn(DecisionReason::ForeignUser),
            ),
        ] {
            let route = Route::fallback(access, RouteKind::Page);
            assert_eq!(decide(true, &route, identity), when_open, "{access:?} {identity:?}, open");
            assert_eq!(decide(false, &route, identity), when_closed, "{access:?} {identity:?}, closed");
        }
    }

    #[test]
    fn user_of_an_allowed_tenant_is_authenticated() {
        let requested = TenantId::parse("acme.com").unwrap();
        let other = || vec![TenantId::parse("other.com").unwrap()];
        for (tenant, welcomed, counts) in [
            ("acme.com", CrossTenantAccess::OwnTenantOnly, true),
            ("other.com", CrossTenantAccess::OwnTenantOnly, false),
            ("other.com", CrossTenantAccess::AnyTenant, true),
            ("other.com", CrossTenantAccess::Listed(other()), true),
            ("third.com", CrossTenantAccess::Listed(other()), false),
        ] {
            let identity = Identity::of(user(tenant), &requested, &welcomed);
            assert_eq!(identity.user().is_some(), counts, "{tenant} {welcomed:?}");
        }
    }
}
