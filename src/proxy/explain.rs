//! Explains the decision about a request: evaluates it without forwarding it.

use std::{
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    sync::Arc,
};

use http::{HeaderName, HeaderValue, Method, Request, header, request::Parts};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    ProxyState, Refusal, ResponseContext, admission,
    authenticate::{AuthContext, RequestOrigin, VerifiedCredential, authenticate},
    evaluate::{NetworkOrigin, RequestContext, evaluate},
    guard, management,
    pipeline::{is_own_path, is_well_formed},
};
use crate::{
    config::{Settings, TenantPolicy},
    domain::{
        access::Decision,
        browser,
        identity::Identity,
        management::{ManagementApi, match_path},
        route::{AccessLevel, Route},
    },
};

/// A request to explain.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Absolute, or a path.
    pub url: String,
    #[serde(default)]
    pub method: Option<String>,
    #[serde(default)]
    pub tenant: Option<String>,
    #[serde(default)]
    pub token: Option<String>,
    /// `Name: value`
    #[serde(default)]
    pub headers: Vec<String>,
    /// Address of the client; loopback by default.
    #[serde(default)]
    pub client: Option<IpAddr>,
}

#[derive(Debug, Serialize)]
pub struct Explanation {
    /// `allow`, `sign-in` or `refuse`
    pub verdict: &'static str,
    /// The status a caller of this kind would get from Doorward; `None` if the portal or one of Doorward's services responds.
    pub status: Option<u16>,
    /// The steps in their order: the result of each and its source.
    pub steps: Vec<(&'static str, String)>,
}

const DECISION_OWN_PAGE: &str = "Doorward's own address: it answers itself, whatever the routes and the anonymous mode say; \
                        pages about an account ask for a sign-in";
const DECISION_MANAGEMENT_API: &str = "the management API answers here, not the portal (management.public): it asks for an administrator's password \
                       or token itself, whatever the routes and the anonymous mode say";
const DECISION_LOGIN_GUARD: &str =
    "a sign-in here is counted before it is forwarded, and refused while its user name is locked";

pub async fn explain(state: &ProxyState, request: &ExplainRequest, now: u64) -> Result<Explanation, String> {
    let (mut parts, https) = build_request(request)?;
    let settings = state.settings.load_full();
    let peer = request.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (client, is_cleartext) = admission::resolve_client(&settings, peer, https, &parts.headers);
    // `explain` forwards no request: it counts for no client
    let source = NetworkOrigin {
        peer,
        client,
        is_cleartext,
        client_state: Arc::clone(state.clients.all()),
        is_counted: false,
    };
    let caller = ResponseContext::new(&parts.headers, HeaderValue::from_static("explain"));
    let requested = parts.headers.get(header::UPGRADE).cloned();
    let context = evaluate(state, &settings, source, &mut parts, caller, now).await;
    let mut steps = vec![
        ("client", context.client.address.to_string()),
        ("request", format!("{} {}", parts.method, parts.uri)),
    ];
    if management::is_public_api_path(state, &settings, parts.uri.path()) && is_well_formed(&context) {
        steps.push(("tenant", management_tenant(&context, &settings, parts.uri.path())));
        steps.push(("decision", DECISION_MANAGEMENT_API.to_owned()));
        return Ok(Explanation { verdict: "allow", status: None, steps });
    }
    if let Some(policy) = &context.policy {
        let how = if context.has_named_tenant {
            "named by the request, its host or its token"
        } else {
            "default: the request selects none"
        };
        steps.push(("tenant", format!("{} ({how})", policy.tenant)));
        steps.push(("anonymous mode", if policy.anonymous { "on" } else { "off" }.to_owned()));
        if let Some(problem) = &policy.problem {
            steps.push(("problem", format!("the file is not in force: {problem}")));
        }
    }
    if let Some(route) = context.route.as_ref().filter(|_| !is_own_path(state, parts.uri.path())) {
        let (access, surface) = (route.access.sentence(), route.kind.sentence());
        let spelling = describe_spelling(&context, route, &parts);
        steps.push(("route", format!("{}: {surface}, {access}{spelling}", route.rule)));
        if let Some(policy) = &context.policy {
            steps.push(("upgrade", describe_upgrade(policy, route, &parts, requested.as_ref())));
        }
    }
    if let (None, Some(policy), Some(route)) = (&context.credential, &context.policy, &context.route) {
        // the error is not shown to a browser that opens a page
        let by = browser::CallerKind::Program;
        let asking = RequestOrigin {
            client: &context.client,
            caller_kind: by,
            needs_user: false,
            now,
            is_counted: false,
        };
        if let Err(Refusal::BadToken(error)) = authenticate(AuthContext {
            state,
            settings: &settings,
            parts: &parts,
            policy,
            route,
            origin: asking,
        })
        .await
        {
            let counts = if context.verdict.is_ok() {
                "; a browser that opens a page with it counts as one without"
            } else {
                ""
            };
            steps.push(("token", format!("refused: {error}{counts}")));
        }
    }
    let session = match (&state.accounts, &context.credential) {
        (_, None) if context.route.as_ref().is_some_and(|route| route.access == AccessLevel::Open) => {
            "not read: the route is open".to_owned()
        }
        (None, _) => "accounts are off".to_owned(),
        (Some(_), Some(VerifiedCredential::Session(live))) => {
            format!("alive, of {}@{}", live.user.name, live.user.tenant)
        }
        (Some(_), Some(VerifiedCredential::Token(_))) => "not read: a token takes precedence".to_owned(),
        (Some(_), None) => "none that is valid here".to_owned(),
    };
    steps.push(("session", session));
    let by = context.credential.as_ref().map_or_else(String::new, |proof| format!(", by {}", proof.kind()));
    let identity = match &context.identity {
        Identity::Anonymous => "anonymous".to_owned(),
        Identity::User(user) => format!("{}@{}{by}", user.name, user.tenant),
        Identity::ForeignUser(user) => {
            format!("{}@{}, not allowed at this tenant{by}", user.name, user.tenant)
        }
    };
    steps.push(("identity", identity));
    let (verdict, status) = match &context.verdict {
        _ if is_own_path(state, parts.uri.path()) && is_well_formed(&context) => {
            steps.push(("decision", DECISION_OWN_PAGE.to_owned()));
            ("allow", None)
        }
        Ok(Decision::Allow(why)) => {
            steps.push(("decision", why.sentence().to_owned()));
            if context.policy.as_ref().is_some_and(|policy| guard::is_guarded_path(policy, parts.uri.path()))
            {
                steps.push(("guard", DECISION_LOGIN_GUARD.to_owned()));
            }
            ("allow", None)
        }
        Ok(Decision::SignIn(why)) => {
            steps.push(("decision", why.sentence().to_owned()));
            let redirected = context.caller_kind == browser::CallerKind::Navigation
                && context.policy.as_ref().is_some_and(|policy| policy.sign_in.is_configured());
            ("sign-in", Some(if redirected { 302 } else { 401 }))
        }
        Err(refusal) => {
            steps.push(("decision", refusal_sentence(refusal)));
            ("refuse", Some(refusal.status().as_u16()))
        }
    };
    Ok(Explanation { verdict, status, steps })
}

/// The spelling of the path by which the rule was found, if it differs from the request's.
fn describe_spelling(context: &RequestContext, route: &Route, parts: &Parts) -> String {
    let routes = context.policy.as_ref().map(|policy| &policy.routes);
    match routes.and_then(|routes| routes.deciding_spelling(parts.method.as_str(), parts.uri.path())) {
        Some(spelling) if route.access != AccessLevel::Open => {
            format!("; it applies because a portal may read the path as {spelling}")
        }
        _ => String::new(),
    }
}

/// The protocols the route forwards, and the decision for those the request names.
fn describe_upgrade(
    policy: &TenantPolicy,
    route: &Route,
    parts: &Parts,
    requested: Option<&HeaderValue>,
) -> String {
    let rule = policy.routes.upgrade_rule(route, parts.method.as_str(), parts.uri.path());
    match requested.and_then(|header| header.to_str().ok()) {
        None => rule.sentence(),
        Some(header) => format!("{}; {}", rule.sentence(), rule.choose(header).sentence()),
    }
}

/// The tenant of a management API request: neither a token nor a session selects it.
fn management_tenant(context: &RequestContext, settings: &Settings, path: &str) -> String {
    match &context.named_tenant {
        Ok(Some(tenant)) => format!("{tenant} (named by the request or its host)"),
        Ok(None) if matches!(match_path(path), Some((ManagementApi::Governance, _))) => {
            format!("{} (default: the request selects none)", settings.tenancy.default_tenant)
        }
        Ok(None) => "the caller's own (the request selects none)".to_owned(),
        Err(refusal) => refusal_sentence(refusal),
    }
}

fn refusal_sentence(refusal: &Refusal) -> String {
    format!("refused: {}", refusal.detail())
}

fn build_request(question: &ExplainRequest) -> Result<(Parts, bool), String> {
    let (url, origin_form) = if question.url.starts_with('/') {
        let url = format!("http://localhost{}", question.url);
        (Url::parse(&url), question.url.clone())
    } else {
        let url = Url::parse(&question.url);
        let rest =
            question.url.splitn(4, '/').nth(3).map_or_else(|| "/".to_owned(), |rest| format!("/{rest}"));
        (url, rest)
    };
    let url = url.map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            format!("{}: write a path that begins with `/`, or an address with `https://`", question.url)
        }
        error => format!("{}: {error}", question.url),
    })?;
    let method = question.method.as_deref().unwrap_or("GET");
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(format!("{}: no host", question.url)),
    };
    // the path as it was written, since validation is part of the evaluation
    let target = origin_form.split('#').next().unwrap_or("/");
    let mut request = Request::builder()
        .method(Method::from_str(method).map_err(|_| format!("{method}: not a method"))?)
        .uri(target)
        .header(header::HOST, host)
        .body(())
        .map_err(|error| format!("{}: {error}", question.url))?;
    let headers = request.headers_mut();
    let value = |text: &str| HeaderValue::try_from(text).map_err(|_| format!("{text:?}: not a header value"));
    if question.headers.is_empty() {
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    }
    for line in &question.headers {
        let (name, text) = line.split_once(':').ok_or_else(|| format!("{line:?}: not `Name: value`"))?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| format!("{name:?}: not a header name"))?;
        headers.append(name, value(text.trim())?);
    }
    if let Some(tenant) = &question.tenant {
        headers.insert(super::tenant_selection::X_WSO2_TENANT, value(tenant)?);
    }
    if let Some(token) = &question.token {
        headers.insert(header::AUTHORIZATION, value(&format!("Bearer {token}"))?);
    }
    Ok((request.into_parts().0, url.scheme() == "https"))
}
