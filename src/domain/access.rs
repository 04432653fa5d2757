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
    UpgradeNeedsUser,
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
    /// For people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::OpenRoute => "allowed: this route is open to everybody, always",
            Self::SignedIn => "allowed: signed in",
            Self::AnonymousModeOn => "allowed: the tenant's anonymous mode is on",
            Self::AnonymousModeOff => "sign-in: the tenant's anonymous mode is off, and nobody is signed in",
            Self::RouteNeedsUser => "sign-in: this route is for users only, whatever the anonymous mode",
            Self::StrangerFromOtherTenant => {
                "sign-in: the token is another tenant's, which is not welcome here"
            }
            Self::UpgradeNeedsUser => {
                "sign-in: the request switches protocols, which needs an authenticated user on this route"
            }
        }
    }

    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenRoute => "open_route",
            Self::SignedIn => "signed_in",
            Self::AnonymousModeOn => "anonymous_mode_on",
            Self::AnonymousModeOff => "anonymous_mode_off",
            Self::RouteNeedsUser => "route_needs_user",
            Self::StrangerFromOtherTenant => "stranger_from_other_tenant",
            Self::UpgradeNeedsUser => "upgrade_needs_user",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        identity::{CrossTenant, User},
        route::Surface,
        tenant::TenantId,
    };

    fn user(tenant: &str) -> Arc<User> {
        Arc::new(User {
            name: "alice".into(),
            tenant: TenantId::parse(tenant).unwrap(),
            email: None,
            display_name: None,
            roles: vec![],
            scopes: vec![],
            expires_at: 0,
        })
    }

    #[test]
    fn every_case_is_decided() {
        use Access::{Anonymous, Open, SignedIn};
        use Decision::{Allow, SignIn};
        let visitor = Identity::Anonymous;
        let alice = Identity::User(user("acme.com"));
        let stranger = Identity::Stranger(user("other.com"));
        for (access, identity, when_open, when_closed) in [
            (Open, &visitor, Allow(Why::OpenRoute), Allow(Why::OpenRoute)),
            (Open, &alice, Allow(Why::OpenRoute), Allow(Why::OpenRoute)),
            (Open, &stranger, Allow(Why::OpenRoute), Allow(Why::OpenRoute)),
            (Anonymous, &visitor, Allow(Why::AnonymousModeOn), SignIn(Why::AnonymousModeOff)),
            (Anonymous, &alice, Allow(Why::SignedIn), Allow(Why::SignedIn)),
            (Anonymous, &stranger, Allow(Why::AnonymousModeOn), SignIn(Why::StrangerFromOtherTenant)),
            (SignedIn, &visitor, SignIn(Why::RouteNeedsUser), SignIn(Why::RouteNeedsUser)),
            (SignedIn, &alice, Allow(Why::SignedIn), Allow(Why::SignedIn)),
            (SignedIn, &stranger, SignIn(Why::StrangerFromOtherTenant), SignIn(Why::StrangerFromOtherTenant)),
        ] {
            let route = Route::fallback(access, Surface::Page);
            assert_eq!(decide(true, &route, identity), when_open, "{access:?} {identity:?}, open");
            assert_eq!(decide(false, &route, identity), when_closed, "{access:?} {identity:?}, closed");
        }
    }

    #[test]
    fn a_user_counts_where_its_tenant_is_welcome() {
        let requested = TenantId::parse("acme.com").unwrap();
        let other = || vec![TenantId::parse("other.com").unwrap()];
        for (tenant, welcomed, counts) in [
            ("acme.com", CrossTenant::Nobody, true),
            ("other.com", CrossTenant::Nobody, false),
            ("other.com", CrossTenant::Everybody, true),
            ("other.com", CrossTenant::Of(other()), true),
            ("third.com", CrossTenant::Of(other()), false),
        ] {
            let identity = Identity::of(user(tenant), &requested, &welcomed);
            assert_eq!(identity.user().is_some(), counts, "{tenant} {welcomed:?}");
        }
    }
}
