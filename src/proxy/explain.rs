//! Explains the decision about a request: evaluates it without forwarding it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use http::{HeaderValue, header, request::Parts};
use serde::Serialize;

pub use super::explain_request::{ExplainError, ExplainRequest};
use super::{
    ProxyState, Refusal, admission,
    authenticate::{AuthContext, RequestOrigin, VerifiedCredential, authenticate},
    context::{NetworkOrigin, RequestContext},
    evaluate::{Evaluation, RoutedRequest, evaluate},
    explain_request::ArrivingRequest,
    guard,
};
use crate::{
    config::{Settings, TenantPolicy},
    domain::{
        access::Decision,
        browser::CallerKind,
        identity::Identity,
        management::{ManagementApi, match_path},
        path::readings::Readings,
        route::AccessLevel,
        tenant::TenantId,
        time::Timestamp,
    },
    token::describe_mismatch,
};

#[derive(Debug, Serialize)]
pub struct Explanation {
    /// `allow`, `sign-in` or `refuse`
    pub verdict: &'static str,
    /// The status a caller of this kind would get from Doorward; `None` if the portal or one of Doorward's services responds.
    pub status: Option<u16>,
    /// The steps in their order: the result of each and its source.
    pub steps: Steps,
}

type Steps = Vec<(&'static str, String)>;

const DECISION_OWN_PAGE: &str = "Doorward's own address: it answers itself, whatever the routes and the anonymous mode say; \
                        pages about an account ask for a sign-in";
const DECISION_MANAGEMENT_API: &str = "the management API answers here, not the portal (management.public): it asks for an administrator's password \
                       or token itself, whatever the routes and the anonymous mode say";
const DECISION_SERVER_OPTIONS: &str =
    "Doorward answers OPTIONS without a path or without a host itself: it is a question about the server";
const DECISION_LOGIN_GUARD: &str =
    "a sign-in here is counted before it is forwarded, and refused while its user name is locked";

/// A request that has been evaluated.
struct Explained<'a> {
    state: &'a ProxyState,
    settings: &'a Settings,
    context: &'a RequestContext,
    parts: &'a Parts,
    /// The `Upgrade` header, which validation removes.
    requested_upgrade: Option<HeaderValue>,
    now: Timestamp,
}

pub async fn explain(
    state: &ProxyState,
    request: &ExplainRequest,
    now: Timestamp,
) -> Result<Explanation, ExplainError> {
    let ArrivingRequest { mut parts, tls } = request.to_arriving()?;
    let settings = state.settings.load_full();
    if request.tenant.is_some() && !settings.tenancy.named_by_request {
        return Err(ExplainError::TenantByHost);
    }
    let peer = request.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (client, is_cleartext) = admission::resolve_client(&settings, peer, tls, &parts.headers);
    // `explain` forwards no request: it counts for no client
    let client_state = Arc::clone(state.clients.all());
    let origin = NetworkOrigin { peer, client, is_cleartext, client_state, is_counted: false };
    let mut context = RequestContext::new(origin, &parts, HeaderValue::from_static("explain"));
    let requested_upgrade = parts.headers.get(header::UPGRADE).cloned();
    let evaluation = evaluate(state, &settings, &mut context, &mut parts, now).await;
    let explained =
        Explained { state, settings: &settings, context: &context, parts: &parts, requested_upgrade, now };
    let mut steps = vec![
        ("client", context.client.address.to_string()),
        ("request", format!("{} {}", parts.method, parts.uri)),
    ];
    let verdict = match &evaluation {
        Evaluation::ManagementApi(Err(refusal)) if refusal.is_before_routing() => {
            explained.push_identity(&mut steps, None);
            refuse(&mut steps, refusal)
        }
        Evaluation::ManagementApi(named) => {
            steps.push(("tenant", explained.management_tenant(named)));
            steps.push(("decision", DECISION_MANAGEMENT_API.to_owned()));
            Verdict::Allow
        }
        Evaluation::ServerOptions => {
            steps.push(("decision", DECISION_SERVER_OPTIONS.to_owned()));
            Verdict::Allow
        }
        Evaluation::Refused { refusal, .. } => {
            explained.push_identity(&mut steps, None);
            refuse(&mut steps, refusal)
        }
        Evaluation::OwnPage(tenant) => {
            if let Ok(policy) = tenant {
                steps.push(("tenant", policy.tenant.to_string()));
                push_policy(&mut steps, policy);
            }
            explained.push_identity(&mut steps, None);
            steps.push(("decision", DECISION_OWN_PAGE.to_owned()));
            Verdict::Allow
        }
        Evaluation::Portal(routed) => explained.portal(&mut steps, routed).await,
    };
    Ok(verdict.explanation(steps))
}

enum Verdict {
    Allow,
    SignIn { is_redirected: bool },
    Refuse { status: u16 },
}

impl Verdict {
    fn explanation(self, steps: Steps) -> Explanation {
        let (verdict, status) = match self {
            Self::Allow => ("allow", None),
            Self::SignIn { is_redirected } => ("sign-in", Some(if is_redirected { 302 } else { 401 })),
            Self::Refuse { status } => ("refuse", Some(status)),
        };
        Explanation { verdict, status, steps }
    }
}

fn refuse(steps: &mut Steps, refusal: &Refusal) -> Verdict {
    steps.push(("decision", refusal_sentence(refusal)));
    Verdict::Refuse { status: refusal.status().as_u16() }
}

fn refusal_sentence(refusal: &Refusal) -> String {
    format!("refused: {}", refusal.detail())
}

fn push_policy(steps: &mut Steps, policy: &TenantPolicy) {
    steps.push(("anonymous mode", if policy.anonymous { "on" } else { "off" }.to_owned()));
    if let Some(problem) = &policy.problem {
        steps.push(("problem", format!("the file is not in force: {problem}")));
    }
}

impl Explained<'_> {
    async fn portal(&self, steps: &mut Steps, routed: &RoutedRequest) -> Verdict {
        let RoutedRequest { policy, route, .. } = routed;
        let source = if routed.is_tenant_selected {
            "named by the request, its host or its token"
        } else {
            "default: the request selects none"
        };
        steps.push(("tenant", format!("{} ({source})", policy.tenant)));
        push_policy(steps, policy);
        let (access, kind) = (route.access.sentence(), route.kind.sentence());
        let spelling = self.spelling(routed);
        steps.push(("route", format!("{}: {kind}, {access}{spelling}", route.rule)));
        steps.push(("upgrade", self.upgrade(routed)));
        if self.context.credential.is_none()
            && let Some(refused) = self.refused_token(routed).await
        {
            steps.push(("token", refused));
        }
        self.push_identity(steps, Some(route.access));
        match &routed.verdict {
            Ok(Decision::Allow(why)) => {
                steps.push(("decision", why.sentence().to_owned()));
                if !guard::guards_covering(policy, self.parts.uri.path()).is_empty() {
                    steps.push(("guard", DECISION_LOGIN_GUARD.to_owned()));
                }
                Verdict::Allow
            }
            Ok(Decision::SignIn(why)) => {
                steps.push(("decision", why.sentence().to_owned()));
                let is_redirected =
                    self.context.caller_kind == CallerKind::Navigation && policy.sign_in.is_configured();
                Verdict::SignIn { is_redirected }
            }
            Err(refusal) => refuse(steps, refusal),
        }
    }

    /// The spelling of the path by which the rule was found, if it differs from the request's.
    fn spelling(&self, routed: &RoutedRequest) -> String {
        let readings = Readings::of(self.parts.uri.path());
        match routed.policy.routes.deciding_spelling(self.parts.method.as_str(), &readings) {
            Some(spelling) if routed.route.access != AccessLevel::Open => {
                format!("; it applies because a portal may read the path as {spelling}")
            }
            _ => String::new(),
        }
    }

    /// The protocols the route forwards, and the decision for those the request names.
    fn upgrade(&self, routed: &RoutedRequest) -> String {
        let readings = Readings::of(self.parts.uri.path());
        let rule = routed.policy.routes.upgrade_rule(&routed.route, self.parts.method.as_str(), &readings);
        match self.requested_upgrade.as_ref().and_then(|header| header.to_str().ok()) {
            None => rule.sentence(),
            Some(header) => format!("{}; {}", rule.sentence(), rule.choose(header).sentence()),
        }
    }

    /// Why a token does not count. A browser that opens a page does not get this error.
    async fn refused_token(&self, routed: &RoutedRequest) -> Option<String> {
        let origin = RequestOrigin {
            client: &self.context.client,
            caller_kind: CallerKind::Program,
            needs_user: false,
            now: self.now,
            is_counted: false,
        };
        let context = AuthContext {
            state: self.state,
            settings: self.settings,
            parts: self.parts,
            policy: &routed.policy,
            route: &routed.route,
            origin,
        };
        let Err(Refusal::BadToken(error)) = authenticate(context).await else { return None };
        let counts = if routed.verdict.is_ok() {
            "; a browser that opens a page with it counts as one without"
        } else {
            ""
        };
        let presented = self.parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = presented.and_then(|value| value.split_once(' ')).map_or("", |(_, token)| token.trim());
        let mismatch = describe_mismatch(&routed.policy, token, &error);
        let mismatch = mismatch.map(|mismatch| format!(" ({mismatch})")).unwrap_or_default();
        Some(format!("refused: {error}{mismatch}{counts}"))
    }

    /// Session and identity. `access` is that of the route, if there is one.
    fn push_identity(&self, steps: &mut Steps, access: Option<AccessLevel>) {
        let credential = self.context.credential.as_ref();
        let session = match (&self.state.accounts, credential) {
            (_, None) if access == Some(AccessLevel::Open) => "not read: the route is open".to_owned(),
            (None, _) => "accounts are off".to_owned(),
            (Some(_), Some(VerifiedCredential::Session(live))) => {
                format!("alive, of {}@{}", live.user.name, live.user.tenant)
            }
            (Some(_), Some(VerifiedCredential::Token(_))) => "not read: a token takes precedence".to_owned(),
            (Some(_), None) => "none that is valid here".to_owned(),
        };
        steps.push(("session", session));
        let by = credential.map_or_else(String::new, |credential| format!(", by {}", credential.kind()));
        let identity = match &self.context.identity {
            Identity::Anonymous => "anonymous".to_owned(),
            Identity::User(user) => format!("{}@{}{by}", user.name, user.tenant),
            Identity::ForeignUser(user) => {
                format!("{}@{}, not allowed at this tenant{by}", user.name, user.tenant)
            }
        };
        steps.push(("identity", identity));
    }

    /// The tenant of a management API request: neither a token nor a session selects it.
    fn management_tenant(&self, named: &Result<Option<TenantId>, Refusal>) -> String {
        match named {
            Ok(Some(tenant)) => format!("{tenant} (named by the request or its host)"),
            Ok(None) if matches!(match_path(self.parts.uri.path()), Some((ManagementApi::Governance, _))) => {
                format!("{} (default: the request selects none)", self.settings.tenancy.default_tenant)
            }
            Ok(None) => "the caller's own (the request selects none)".to_owned(),
            Err(refusal) => refusal_sentence(refusal),
        }
    }
}
