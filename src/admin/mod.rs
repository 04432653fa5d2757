//! The private port: probes and metrics for everybody who reaches it; what acts or reveals for loopback callers only.

mod access;
mod gauges;
mod serve;

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Query, State},
    middleware,
    routing::{get, post},
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::serve::serve;
use crate::{
    clock,
    config::{TenantDirectory, directory::Found, effective, model::StoreProbe},
    domain::tenant::TenantId,
    proxy::{
        Gate,
        explain::{Question, explain},
    },
    server::drain::{DrainControl, DrainSignal, Phase},
    telemetry::store_state::StoreStates,
};

/// Whether requests should be sent here.
#[derive(Clone)]
pub struct Readiness {
    pub keys_loaded: Arc<AtomicBool>,
    pub drain: DrainSignal,
    pub tenants: Arc<TenantDirectory>,
    pub store: StoreStates,
}

impl Readiness {
    /// `Err` says why not, `Ok` what else is wrong.
    fn check(&self, probe: StoreProbe) -> Result<Option<String>, String> {
        if self.drain.phase() > Phase::Serving {
            return Err("leaving".to_owned());
        }
        let store = self.store.borrow().clone();
        // what is written to a lost store is lost, whatever the operator thinks of the rest
        let fails = store.lost.is_some()
            || match probe {
                StoreProbe::Nothing => false,
                StoreProbe::Reads => store.down.is_some(),
                StoreProbe::ReadsAndWrites => !store.is_well(),
            };
        let problem = store.problem();
        if fails && let Some(problem) = problem {
            return Err(problem);
        }
        self.started()?;
        Ok(problem)
    }

    fn started(&self) -> Result<(), &'static str> {
        if !self.keys_loaded.load(Ordering::Acquire) {
            return Err("the keys of an issuer are not loaded yet");
        }
        if !self.tenants.index_ready() {
            return Err("the tenants' host names are not read yet");
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Admin {
    gate: Arc<Gate>,
    readiness: Readiness,
    drain: Arc<DrainControl>,
}

pub fn router(gate: Arc<Gate>, readiness: Readiness, drain: Arc<DrainControl>) -> Router {
    let admin = Admin { gate, readiness, drain };
    let private = Router::new()
        .route("/cache/flush", post(flush))
        .route("/drain", post(leave))
        .route("/config", get(config))
        .route("/explain", post(explain_request))
        .layer(middleware::from_fn_with_state(Arc::clone(&admin.gate), access::only));
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/startupz", get(started))
        .route("/metrics", get(metrics))
        .merge(private)
        .with_state(admin)
}

fn probe<E: Display>(result: Result<Option<String>, E>) -> (StatusCode, String) {
    match result {
        Ok(None) => (StatusCode::OK, "ok\n".to_owned()),
        Ok(Some(problem)) => (StatusCode::OK, format!("ok\n{problem}\n")),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    probe(admin.readiness.check(admin.gate.settings.load().admin.store_probe))
}

/// Once started, always started: leaving is not a reason to be killed.
async fn started(State(admin): State<Admin>) -> (StatusCode, String) {
    probe(admin.readiness.started().map(|()| None))
}

async fn metrics(State(admin): State<Admin>) -> ([(header::HeaderName, HeaderValue); 1], String) {
    let content_type = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    let store = admin.readiness.store.borrow().clone();
    ([(header::CONTENT_TYPE, content_type)], gauges::render(&admin.gate, &store))
}

/// Everything is read again: tenants' files at once, tokens when they are next seen.
async fn flush(State(admin): State<Admin>) -> Json<Value> {
    admin.gate.tenants.flush();
    admin.gate.tokens.flush();
    tracing::info!("caches flushed");
    Json(json!({ "flushed": true }))
}

async fn leave(State(admin): State<Admin>) -> (StatusCode, Json<Value>) {
    admin.drain.advance(Phase::Leaving);
    (StatusCode::ACCEPTED, Json(json!({ "leaving": true })))
}

#[derive(Deserialize)]
struct Which {
    tenant: Option<String>,
}

/// What is in effect, secrets masked: of `deployment.toml`, or of one tenant. Beside it, what was written and is not in
/// effect: `mistakes` in `deployment.toml`, `problems` of tenants.
async fn config(State(admin): State<Admin>, Query(which): Query<Which>) -> (StatusCode, Json<Value>) {
    let Some(tenant) = which.tenant else {
        let problems = admin.gate.tenants.problems();
        let problems: Value =
            problems.iter().map(|(tenant, problem)| (tenant.to_string(), json!(problem))).collect();
        let settings = effective::to_json(&admin.gate.settings.load());
        let mistakes = admin.gate.mistakes.load();
        return (
            StatusCode::OK,
            Json(json!({ "settings": settings, "mistakes": **mistakes, "problems": problems })),
        );
    };
    let unknown = (StatusCode::NOT_FOUND, Json(json!({ "error": "there is no such tenant" })));
    let Ok(tenant) = TenantId::parse(&tenant) else { return unknown };
    match admin.gate.tenants.load(&tenant).await {
        Found::Unknown => unknown,
        Found::Tenant(policy) => (
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

async fn explain_request(State(admin): State<Admin>, Json(question): Json<Question>) -> Json<Value> {
    Json(match explain(&admin.gate, &question, clock::now()).await {
        Ok(explanation) => json!(explanation),
        Err(error) => json!({ "error": error }),
    })
}
