//! Which protocols a request may switch to (RFC 9110 §7.8): a property of its route, never implied by its access level.

use std::sync::Arc;

use super::{
    access::{Decision, DecisionReason},
    identity::Identity,
    route::{AccessLevel, RouteKind},
};

/// The one protocol that a route without `upgrade` forwards (RFC 6455).
pub const WEBSOCKET: &str = "websocket";

/// The `upgrade` setting of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum UpgradeRule {
    /// The route has no `upgrade`: WebSocket, for authenticated users.
    #[default]
    Users,
    Never,
    /// These protocols, in lower case, for every request that the route allows.
    Protocols(Arc<[Box<str>]>),
}

/// How the `Upgrade` header of one request is handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpgradeChoice {
    /// None of its protocols is allowed: the request is forwarded without the header, as RFC 9110 §7.8 allows.
    Ignored,
    /// Forwarded with these protocols only, in the client's order.
    Forwarded { protocols: String, needs_user: bool },
    /// A WebSocket handshake on a route without WebSockets: its client cannot use an ordinary answer.
    Refused,
}

/// The request is allowed, its upgrade is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpgradeRefused;

impl UpgradeRule {
    /// The rule of a configured route without `upgrade`: an asset never switches protocols.
    pub fn default_for(kind: RouteKind) -> Self {
        if kind == RouteKind::Asset { Self::Never } else { Self::Users }
    }

    /// The rule of a built-in route: one that is open, so that sign-in works, never switches protocols.
    pub fn built_in(access: AccessLevel, kind: RouteKind) -> Self {
        if access == AccessLevel::Open { Self::Never } else { Self::default_for(kind) }
    }

    /// The protocols have the form of `is_protocol`. An empty list means `Never`.
    pub fn of<'a>(protocols: impl IntoIterator<Item = &'a str>) -> Self {
        let protocols: Vec<Box<str>> =
            protocols.into_iter().map(|protocol| protocol.to_ascii_lowercase().into()).collect();
        if protocols.is_empty() { Self::Never } else { Self::Protocols(protocols.into()) }
    }

    /// `header` is the value of `Upgrade`.
    pub fn choose(&self, header: &str) -> UpgradeChoice {
        let requested = || header.split(',').map(|token| token.trim_matches([' ', '\t']));
        let allows = |token: &str| match self {
            Self::Users => token.eq_ignore_ascii_case(WEBSOCKET),
            Self::Never => false,
            Self::Protocols(known) => known.iter().any(|protocol| token.eq_ignore_ascii_case(protocol)),
        };
        let allowed: Vec<&str> = requested().filter(|token| allows(token)).collect();
        if !allowed.is_empty() {
            UpgradeChoice::Forwarded {
                protocols: allowed.join(", "),
                needs_user: matches!(self, Self::Users),
            }
        } else if requested().any(|token| token.eq_ignore_ascii_case(WEBSOCKET)) {
            UpgradeChoice::Refused
        } else {
            UpgradeChoice::Ignored
        }
    }

    /// For `explain`.
    pub fn sentence(&self) -> String {
        match self {
            Self::Users => "websocket, for authenticated users: the route has no `upgrade`".to_owned(),
            Self::Never => {
                "none: the route says `upgrade = false`, is an asset, or is open and built in".to_owned()
            }
            Self::Protocols(known) => {
                format!("{}, for every request that the route allows", known.join(", "))
            }
        }
    }
}

impl UpgradeChoice {
    /// Whether the identity is determined on an open route, too. A refused handshake first gets the answer of a closed route.
    pub fn needs_user(&self) -> bool {
        match self {
            Self::Ignored => false,
            Self::Forwarded { needs_user, .. } => *needs_user,
            Self::Refused => true,
        }
    }

    /// The access decision of the route for a request with this upgrade.
    pub fn decide(&self, decision: Decision, identity: &Identity) -> Result<Decision, UpgradeRefused> {
        match decision {
            Decision::Allow(_) if self.needs_user() && identity.user().is_none() => {
                Ok(Decision::SignIn(DecisionReason::UpgradeNeedsUser))
            }
            Decision::Allow(_) if *self == Self::Refused => Err(UpgradeRefused),
            decision => Ok(decision),
        }
    }

    /// For `explain`.
    pub fn sentence(&self) -> String {
        match self {
            Self::Ignored => "the requested protocols are ignored".to_owned(),
            Self::Forwarded { protocols, .. } => {
                format!("{protocols} is forwarded if the request is allowed")
            }
            Self::Refused => "the WebSocket handshake is refused".to_owned(),
        }
    }
}

/// Why a route may not name this protocol; `None` if it may. HTTP and TLS are excluded, because requests inside such a
/// connection would be checked against no rule.
pub fn protocol_problem(written: &str) -> Option<&'static str> {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let (name, version) = written.split_once('/').map_or((written, None), |(name, rest)| (name, Some(rest)));
    if !token(name) || !version.is_none_or(token) {
        return Some("is not the name of a protocol");
    }
    let name = name.to_ascii_lowercase();
    let carries_requests = ["http", "h2", "h3", "tls", "ssl", "spdy", "quic"];
    if carries_requests.iter().any(|known| name.starts_with(known)) {
        return Some("would carry requests that no rule checks");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{identity::User, tenant::TenantId, time::Timestamp};

    fn user() -> Arc<User> {
        Arc::new(User {
            name: "alice".into(),
            tenant: TenantId::parse("acme.com").unwrap(),
            email: None,
            display_name: None,
            roles: vec![],
            scopes: vec![],
            expires_at: Timestamp::EPOCH,
        })
    }

    #[test]
    fn forwards_only_protocols_that_the_route_lists() {
        let listed = UpgradeRule::of(["websocket", "Chat/1"]);
        for (rule, header, chosen) in [
            (&UpgradeRule::Users, "websocket", Some("websocket")),
            (&UpgradeRule::Users, "WebSocket", Some("WebSocket")),
            (&UpgradeRule::Users, "foo/2, websocket ,h2c", Some("websocket")),
            (&UpgradeRule::Users, "TLS/1.0", None),
            (&UpgradeRule::Users, "websocket/13", None),
            (&UpgradeRule::Users, "websockets", None),
            (&UpgradeRule::Users, "h2c", None),
            (&UpgradeRule::Users, "", None),
            (&listed, "foo, chat/1,websocket", Some("chat/1, websocket")),
            (&listed, "chat", None),
            (&UpgradeRule::Never, "foo", None),
        ] {
            let found = match rule.choose(header) {
                UpgradeChoice::Forwarded { protocols, .. } => Some(protocols),
                UpgradeChoice::Ignored => None,
                UpgradeChoice::Refused => panic!("{header} is refused"),
            };
            assert_eq!(found.as_deref(), chosen, "{rule:?} {header:?}");
        }
        for rule in [UpgradeRule::Never, UpgradeRule::of(["chat"]), UpgradeRule::of([])] {
            assert_eq!(rule.choose("foo, WebSocket"), UpgradeChoice::Refused, "{rule:?}");
        }
    }

    #[test]
    fn upgrades_need_a_user_unless_the_route_says_otherwise() {
        use Decision::{Allow, SignIn};
        let (anonymous, foreign_user, known) =
            (Identity::Anonymous, Identity::ForeignUser(user()), Identity::User(user()));
        let open = Allow(DecisionReason::OpenRoute);
        let refused = SignIn(DecisionReason::UpgradeNeedsUser);
        let (unwritten, listed, never) =
            (UpgradeRule::Users, UpgradeRule::of([WEBSOCKET]), UpgradeRule::Never);
        for (rule, decision, identity, decided) in [
            (&unwritten, open, &anonymous, Ok(refused)),
            (&unwritten, Allow(DecisionReason::AnonymousModeOn), &anonymous, Ok(refused)),
            (&unwritten, Allow(DecisionReason::AnonymousModeOn), &foreign_user, Ok(refused)),
            (
                &unwritten,
                SignIn(DecisionReason::AnonymousModeOff),
                &anonymous,
                Ok(SignIn(DecisionReason::AnonymousModeOff)),
            ),
            (&unwritten, Allow(DecisionReason::SignedIn), &known, Ok(Allow(DecisionReason::SignedIn))),
            (&listed, open, &anonymous, Ok(open)),
            (
                &listed,
                SignIn(DecisionReason::RouteNeedsUser),
                &anonymous,
                Ok(SignIn(DecisionReason::RouteNeedsUser)),
            ),
            (&never, open, &anonymous, Ok(refused)),
            (&never, open, &known, Err(UpgradeRefused)),
            (&never, Allow(DecisionReason::SignedIn), &known, Err(UpgradeRefused)),
        ] {
            let found = rule.choose("websocket").decide(decision, identity);
            assert_eq!(found, decided, "{rule:?} {decision:?} {identity:?}");
        }
        // an ignored header changes no decision
        assert_eq!(never.choose("h2c").decide(open, &anonymous), Ok(open));
    }

    #[test]
    fn built_in_and_asset_routes_never_switch_protocols() {
        for (rule, expected) in [
            (UpgradeRule::built_in(AccessLevel::Open, RouteKind::Page), UpgradeRule::Never),
            (UpgradeRule::built_in(AccessLevel::Open, RouteKind::Asset), UpgradeRule::Never),
            (UpgradeRule::built_in(AccessLevel::Anonymous, RouteKind::Page), UpgradeRule::Users),
            (UpgradeRule::default_for(RouteKind::Asset), UpgradeRule::Never),
            (UpgradeRule::default_for(RouteKind::Page), UpgradeRule::Users),
        ] {
            assert_eq!(rule, expected);
        }
    }

    #[test]
    fn protocols_that_carry_requests_cannot_be_listed() {
        for written in ["websocket", "chat/2.0", "IRC", "x-custom_1"] {
            assert_eq!(protocol_problem(written), None, "{written}");
        }
        for written in [
            "", "/", "a/", "a b", "a,b", "h2c", "H2", "http/2.0", "HTTP2", "TLS/1.0", "spdy/3.1", "a/b/c",
            "é",
        ] {
            assert!(protocol_problem(written).is_some(), "{written}");
        }
    }
}
