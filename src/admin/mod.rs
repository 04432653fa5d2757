//! The private port: probes and metrics for every caller; operator actions and disclosing endpoints for loopback callers only.

mod access;
mod exposition;
mod gauges;
mod process;
mod readiness;
mod serve;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    middleware,
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use self::{exposition::MetricsFormat, readiness::Readiness};
pub use self::{readiness::ReadinessSources, serve::serve};
use crate::{
    config::effective,
    domain::tenant::TenantId,
    proxy::{
        ProxyState,
        explain::{ExplainRequest, explain},
    },
    server::{
        ServerCertificates,
        drain::{DrainControl, DrainPhase},
    },
    tenants::TenantLookup,
};

#[derive(Clone)]
struct AdminState {
    state: Arc<ProxyState>,
    readiness: ReadinessSources,
    drain: Arc<DrainControl>,
    certificates: ServerCertificates,
}

pub fn router(
    state: Arc<ProxyState>,
    readiness: ReadinessSources,
    drain: Arc<DrainControl>,
    certificates: ServerCertificates,
) -> Router {
    let admin = AdminState { state, readiness, drain, certificates };
    let private = Router::new()
        .route("/cache/flush", post(flush))
        .route("/drain", post(start_drain))
        .route("/config", get(config))
        .route("/explain", post(explain_request))
        .layer(middleware::from_fn_with_state(Arc::clone(&admin.state), access::require_local_caller));
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/startupz", get(started))
        .route("/metrics", get(metrics))
        .merge(private)
        .with_state(admin)
}

async fn ready(State(admin): State<AdminState>) -> Readiness {
    admin.readiness.check(admin.state.settings.load().admin.store_probe)
}

async fn started(State(admin): State<AdminState>) -> Readiness {
    admin.readiness.check_startup()
}

async fn metrics(
    State(admin): State<AdminState>,
    headers: HeaderMap,
) -> ([(header::HeaderName, HeaderValue); 1], String) {
    let format = MetricsFormat::negotiate(&headers);
    let store = admin.readiness.store.borrow().clone();
    let text = format.render(gauges::render(&admin.state, &store, &admin.certificates));
    ([(header::CONTENT_TYPE, format.content_type())], text)
}

/// Drops the caches: tenants' files are read again at once, tokens verified again when next seen.
async fn flush(State(admin): State<AdminState>) -> Json<Value> {
    admin.state.tenants.flush();
    admin.state.tokens.flush();
    tracing::info!("caches flushed");
    Json(json!({ "flushed": true }))
}

async fn start_drain(State(admin): State<AdminState>) -> (StatusCode, Json<Value>) {
    admin.drain.advance(DrainPhase::Draining);
    (StatusCode::ACCEPTED, Json(json!({ "draining": true })))
}

#[derive(Deserialize)]
struct ConfigQuery {
    tenant: Option<String>,
}

/// The settings in force, secrets masked: of `deployment.toml`, or of one tenant. Beside them, what is written and not in
/// effect: keys that need a restart, `mistakes` in `deployment.toml`, `problems` of tenants.
async fn config(
    State(admin): State<AdminState>,
    Query(query): Query<ConfigQuery>,
) -> (StatusCode, Json<Value>) {
    let Some(tenant) = query.tenant else {
        let problems = admin.state.tenants.problems();
        let problems: Value =
            problems.iter().map(|(tenant, problem)| (tenant.to_string(), json!(problem))).collect();
        let settings = effective::to_json(&admin.state.settings.load());
        let mistakes = admin.state.mistakes.load();
        return (
            StatusCode::OK,
            Json(json!({
                "settings": settings,
                "restart_needed": **admin.state.restart_needed.load(),
                "mistakes": **mistakes,
                "problems": problems,
            })),
        );
    };
    let unknown = (StatusCode::NOT_FOUND, Json(json!({ "error": "there is no such tenant" })));
    let Ok(tenant) = TenantId::parse(&tenant) else { return unknown };
    match admin.state.tenants.load(&tenant).await {
        TenantLookup::Unknown => unknown,
        TenantLookup::Tenant(policy) => (
            StatusCode::OK,
            Json(json!({
                "tenant": policy.tenant,
                "generation": policy.generation,
                "anonymous": policy.anonymous,
                "issuers": policy.issuers.iter().map(|issuer| &issuer.issuer).collect::<Vec<_>>(),
                "sign_in": policy.sign_in.url,
                "problem": policy.problem,
            })),
        ),
    }
}

async fn explain_request(
    State(admin): State<AdminState>,
    Json(explain_query): Json<ExplainRequest>,
) -> Json<Value> {
    Json(match explain(&admin.state, &explain_query, admin.state.clock.now()).await {
        Ok(explanation) => json!(explanation),
        Err(error) => json!({ "error": error.to_string() }),
    })
}
