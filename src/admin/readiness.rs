//! The readiness probe: whether this process should get requests.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::{
    config::model::StoreProbe,
    server::drain::{DrainPhase, DrainSignal},
    telemetry::store_state::StoreStates,
    tenants::TenantRegistry,
};

/// State that the readiness probe reads.
#[derive(Clone)]
pub struct ReadinessSources {
    pub keys_loaded: Arc<AtomicBool>,
    pub drain: DrainSignal,
    pub tenants: Arc<TenantRegistry>,
    pub store: StoreStates,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// A problem of the store that does not affect readiness.
    Degraded(String),
    NotReady(NotReady),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("draining")]
    Draining,
    #[error("{0}")]
    Store(String),
    #[error("the keys of an issuer are not loaded yet")]
    KeysNotLoaded,
    #[error("the tenants' host names are not read yet")]
    HostNamesNotRead,
}

impl ReadinessSources {
    pub fn check(&self, probe: StoreProbe) -> Readiness {
        if self.drain.phase() > DrainPhase::Serving {
            return Readiness::NotReady(NotReady::Draining);
        }
        let store = self.store.borrow().clone();
        // changes written to a lost store are lost, so this fails whatever probe is configured
        let fails = store.lost.is_some()
            || match probe {
                StoreProbe::Off => false,
                StoreProbe::Read => store.down.is_some(),
                StoreProbe::ReadWrite => !store.is_healthy(),
            };
        match (store.problem(), self.check_startup()) {
            (Some(problem), _) if fails => Readiness::NotReady(NotReady::Store(problem)),
            (Some(problem), Readiness::Ready) => Readiness::Degraded(problem),
            (_, startup) => startup,
        }
    }

    /// Once started, always started: draining is not a reason to be killed.
    pub fn check_startup(&self) -> Readiness {
        if !self.keys_loaded.load(Ordering::Acquire) {
            Readiness::NotReady(NotReady::KeysNotLoaded)
        } else if !self.tenants.is_index_ready() {
            Readiness::NotReady(NotReady::HostNamesNotRead)
        } else {
            Readiness::Ready
        }
    }
}

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        match self {
            Self::Ready => (StatusCode::OK, "ok\n".to_owned()),
            Self::Degraded(problem) => (StatusCode::OK, format!("ok\n{problem}\n")),
            Self::NotReady(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        }
        .into_response()
    }
}
