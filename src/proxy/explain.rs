//! Why a request would be let in or not: the judge is asked, nothing is sent.

use std::{
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    sync::Arc,
};

use http::{HeaderName, HeaderValue, Method, Request, header, request::Parts};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Caller, Gate, Refusal, admission, guard,
    identify::{Asking, Proof, Scene, identify},
    judge::{Judgement, Source, judge},
    management,
    pipeline::{is_local, understood},
};
use crate::{
    config::{Settings, TenantPolicy},
    domain::{
        access::Decision,
        browser,
        identity::Identity,
        management::{Api, target},
        route::{Access, Route},
    },
};

/// A request somebody wonders about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
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
    /// Who asks; otherwise this machine.
    #[serde(default)]
    pub client: Option<IpAddr>,
}

#[derive(Debug, Serialize)]
pub struct Explanation {
    /// `allow`, `sign-in` or `refuse`
    pub verdict: &'static str,
    /// The status a caller of this kind would get from Doorward; `None` where the portal answers, or one of our own services.
    pub status: Option<u16>,
    /// The steps in their order: what was found out, and from what.
    pub steps: Vec<(&'static str, String)>,
}

const OWN_PAGE: &str = "Doorward's own address: it answers itself, whatever the routes and the anonymous mode say; \
                        pages about an account ask for a sign-in";
const MANAGED: &str = "the management API answers here, not the portal (management.public): it asks for an administrator's password \
                       or token itself, whatever the routes and the anonymous mode say";
const GUARDED: &str =
    "a sign-in here is counted before the portal sees it, and refused while its name is locked";

pub async fn explain(gate: &Gate, question: &Question, now: u64) -> Result<Explanation, String> {
    let (mut parts, https) = request(question)?;
    let settings = gate.settings.load_full();
    let peer = question.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (client, came_in_clear) = admission::client(&settings, (peer, https), &parts.headers);
    // `explain` sends no request: it counts for no client
    let source = Source {
        peer,
        client,
        came_in_clear,
        client_state: Arc::clone(gate.clients.all()),
        is_counted: false,
    };
    let caller = Caller::new(&parts.headers, HeaderValue::from_static("explain"));
    let requested = parts.headers.get(header::UPGRADE).cloned();
    let judgement = judge(gate, &settings, source, &mut parts, caller, now).await;
    let mut steps = vec![
        ("client", judgement.client.address.to_string()),
        ("request", format!("{} {}", parts.method, parts.uri)),
    ];
    if management::is_public(gate, &settings, parts.uri.path()) && understood(&judgement) {
        steps.push(("tenant", managed(&judgement, &settings, parts.uri.path())));
        steps.push(("decision", MANAGED.to_owned()));
        return Ok(Explanation { verdict: "allow", status: None, steps });
    }
    if let Some(policy) = &judgement.policy {
        let how = if judgement.tenant_named {
            "named by the request, its host or its token"
        } else {
            "nobody named one"
        };
        steps.push(("tenant", format!("{} ({how})", policy.tenant)));
        steps.push(("anonymous mode", if policy.anonymous { "on" } else { "off" }.to_owned()));
        if let Some(problem) = &policy.problem {
            steps.push(("problem", format!("the file is not in force: {problem}")));
        }
    }
    if let Some(route) = judgement.route.as_ref().filter(|_| !is_local(gate, parts.uri.path())) {
        let (who, what) = (route.access.sentence(), route.surface.sentence());
        let spelling = spelling(&judgement, route, &parts);
        steps.push(("route", format!("{}: {what}, {who}{spelling}", route.rule)));
        if let Some(policy) = &judgement.policy {
            steps.push(("upgrade", upgrade(policy, route, &parts, requested.as_ref())));
        }
    }
    if let (None, Some(policy), Some(route)) = (&judgement.proof, &judgement.policy, &judgement.route) {
        // what a browser that opens a page is not told
        let by = browser::Caller::Program;
        let asking = Asking { client: &judgement.client, by, needs_user: false, now, is_counted: false };
        if let Err(Refusal::BadToken(error)) =
            identify(Scene { gate, settings: &settings, parts: &parts, policy, route, asking }).await
        {
            let counts = if judgement.verdict.is_ok() {
                "; a browser that opens a page with it counts as one without"
            } else {
                ""
            };
            steps.push(("token", format!("refused: {error}{counts}")));
        }
    }
    let session = match (&gate.doors, &judgement.proof) {
        (_, None) if judgement.route.as_ref().is_some_and(|route| route.access == Access::Open) => {
            "not asked: the route is open to everybody".to_owned()
        }
        (None, _) => "accounts are off".to_owned(),
        (Some(_), Some(Proof::Session(live))) => format!("alive, of {}@{}", live.user.name, live.user.tenant),
        (Some(_), Some(Proof::Token(_))) => "not asked: a token goes first".to_owned(),
        (Some(_), None) => "none that counts here".to_owned(),
    };
    steps.push(("session", session));
    let by = judgement.proof.as_ref().map_or_else(String::new, |proof| format!(", by {}", proof.kind()));
    let identity = match &judgement.identity {
        Identity::Anonymous => "nobody known".to_owned(),
        Identity::User(user) => format!("{}@{}{by}", user.name, user.tenant),
        Identity::Stranger(user) => format!("{}@{}, a stranger here{by}", user.name, user.tenant),
    };
    steps.push(("identity", identity));
    let (verdict, status) = match &judgement.verdict {
        _ if is_local(gate, parts.uri.path()) && understood(&judgement) => {
            steps.push(("decision", OWN_PAGE.to_owned()));
            ("allow", None)
        }
        Ok(Decision::Allow(why)) => {
            steps.push(("decision", why.sentence().to_owned()));
            if judgement.policy.as_ref().is_some_and(|policy| guard::concerns(policy, parts.uri.path())) {
                steps.push(("guard", GUARDED.to_owned()));
            }
            ("allow", None)
        }
        Ok(Decision::SignIn(why)) => {
            steps.push(("decision", why.sentence().to_owned()));
            let redirected = judgement.asked_by == browser::Caller::Navigation
                && judgement.policy.as_ref().is_some_and(|policy| policy.sign_in.is_configured());
            ("sign-in", Some(if redirected { 302 } else { 401 }))
        }
        Err(refusal) => {
            steps.push(("decision", sentence(refusal)));
            ("refuse", Some(refusal.status().as_u16()))
        }
    };
    Ok(Explanation { verdict, status, steps })
}

/// Which spelling of the path the rule was found by, where it is not the one that was sent.
fn spelling(judgement: &Judgement, route: &Route, parts: &Parts) -> String {
    let routes = judgement.policy.as_ref().map(|policy| &policy.routes);
    match routes.and_then(|routes| routes.deciding_spelling(parts.method.as_str(), parts.uri.path())) {
        Some(spelling) if route.access != Access::Open => {
            format!("; it counts because a portal may read the path as {spelling}")
        }
        _ => String::new(),
    }
}

/// Which protocols the route forwards, and what becomes of those that the request names.
fn upgrade(policy: &TenantPolicy, route: &Route, parts: &Parts, requested: Option<&HeaderValue>) -> String {
    let rule = policy.routes.upgrade_rule(route, parts.method.as_str(), parts.uri.path());
    match requested.and_then(|header| header.to_str().ok()) {
        None => rule.sentence(),
        Some(header) => format!("{}; {}", rule.sentence(), rule.choose(header).sentence()),
    }
}

/// Whom the management API takes a request to be about: it lets no token and no session say so.
fn managed(judgement: &Judgement, settings: &Settings, path: &str) -> String {
    match &judgement.named {
        Ok(Some(tenant)) => format!("{tenant} (named by the request or its host)"),
        Ok(None) if matches!(target(path), Some((Api::Governance, _))) => {
            format!("{} (nobody named one)", settings.tenancy.default_tenant)
        }
        Ok(None) => "the caller's own (nobody named one)".to_owned(),
        Err(refusal) => sentence(refusal),
    }
}

fn sentence(refusal: &Refusal) -> String {
    format!("refused: {}", refusal.detail())
}

fn request(question: &Question) -> Result<(Parts, bool), String> {
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
    // the path as it was written, since hygiene is to judge it
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
        headers.insert(super::select::X_WSO2_TENANT, value(tenant)?);
    }
    if let Some(token) = &question.token {
        headers.insert(header::AUTHORIZATION, value(&format!("Bearer {token}"))?);
    }
    Ok((request.into_parts().0, url.scheme() == "https"))
}
