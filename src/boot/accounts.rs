//! Opens the account store and runs its background tasks.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use aws_lc_rs::rand;
use tokio::{
    runtime::Runtime,
    select,
    time::{interval, sleep, timeout},
};

use crate::{
    account::{
        AccountDependencies, AccountServices,
        hashing::{Argon2Cost, HashMetrics, PasswordHasher},
    },
    clock,
    config::Settings,
    domain::fairness::{Limit, Resource},
    session::{CookieSigner, SessionService},
    store::{Retention, Store, StoreError},
    telemetry::metrics::Metrics,
    tenants::TenantRegistry,
    token,
};

/// Interval of purging expired rows; between two purges the number of counters is bounded by the store's write rate.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);
/// Imported hashes of other systems arrive with imports and are replaced at sign-in.
const CALIBRATION_INTERVAL: Duration = Duration::from_mins(5);
/// Interval of the store's health check, ...
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// ... while it fails, and at least.
const RECHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Name of the secret that user names and device cookies are hashed with.
const SECRET: &str = "names";

/// Opens the store, which must answer: a start without it would lock out all users.
pub fn open(
    settings: &Settings,
    runtime: &Runtime,
    tenants: &Arc<TenantRegistry>,
    metrics: &Metrics,
) -> anyhow::Result<AccountServices> {
    let accounts = &settings.accounts;
    let mut fresh = [[0; 32]; 2];
    for fresh in &mut fresh {
        rand::fill(fresh).context("the system has no random numbers")?;
    }
    let (store, secret, seal) = runtime
        .block_on(async {
            let store = Store::open(&accounts.store).await?;
            let [for_names, for_sessions] = fresh;
            let secret = store.secret(SECRET, for_names).await?;
            let seal = CookieSigner::new(&store.secret(CookieSigner::SECRET_NAME, for_sessions).await?);
            Ok::<_, StoreError>((store, secret, seal))
        })
        .with_context(|| format!("cannot open the store {} (accounts.store_url)", accounts.store.location))?;
    let hashing = &accounts.hashing;
    let cost = Argon2Cost { memory_kib: hashing.memory, iterations: hashing.iterations, parallelism: 1 };
    let share_full = metrics.client_limit(Limit::Concurrency(Resource::HashSlot));
    let metrics = Arc::new(metrics.accounts.clone());
    let meters = HashMetrics {
        verified: metrics.password_verifications.clone(),
        dummy: metrics.passwords_spent.clone(),
        busy: metrics.password_queue_full.clone(),
        client_limit: share_full,
    };
    let share = settings.limits.client.hash_slots.client;
    let hasher = PasswordHasher::with_client_limit(cost, hashing.parallel, hashing.queue, share, meters)
        .context("accounts.hash_memory")?;
    let sessions = SessionService::new(store.clone(), Arc::clone(tenants), runtime.handle().clone(), seal);
    let http = token::http_clients(&[])?.everywhere;
    let tenants = Arc::clone(tenants);
    let services =
        AccountServices::new(AccountDependencies { store, hasher, sessions, tenants, metrics, secret, http });
    // before the first request: administrator overrides apply from the first request on
    let refreshed = runtime.block_on(services.governance().refresh_all());
    refreshed.context("cannot read administrator overrides")?;
    Ok(services)
}

/// A command is often run as another user than the one that owns the store: adds the remedy to the error.
pub fn add_owner_hint(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(StoreError::File { error: cause, .. }) if cause.kind() == ErrorKind::PermissionDenied => {
            anyhow!("{error:#} (run this as the user Doorward runs as, or as root)")
        }
        _ => error,
    }
}

/// Starts background tasks, which run until the runtime ends.
pub fn spawn_background_tasks(accounts: &AccountServices, runtime: &Runtime) {
    let (sessions, governance) = (accounts.sessions().clone(), accounts.governance().clone());
    runtime.spawn(async move { sessions.follow_changes(|change| governance.pending(change)).await });
    let governance = accounts.governance().clone();
    runtime.spawn(async move { governance.run().await });
    let store = accounts.store().clone();
    runtime.spawn(async move {
        let mut due = interval(PURGE_INTERVAL);
        loop {
            due.tick().await;
            match store.purge(Retention::default(), clock::unix_millis()).await {
                Ok(gone) => tracing::debug!(?gone, "expired rows purged"),
                Err(error) => tracing::warn!(%error, "failed to purge expired rows"),
            }
        }
    });
    let measuring = accounts.clone();
    runtime.spawn(async move {
        let mut measured = measuring.ensure_calibrated().await;
        loop {
            if let Err(problem) = measured {
                tracing::warn!(?problem, "failed to measure the cost of imported password hashes");
            }
            sleep(CALIBRATION_INTERVAL).await;
            measured = measuring.calibrate().await;
        }
    });
    let store = accounts.store().clone();
    runtime.spawn(async move {
        loop {
            let state = store.check(clock::unix_millis()).await;
            sleep(RECHECK_INTERVAL).await;
            if state.is_healthy() {
                select! {
                    () = sleep(CHECK_INTERVAL) => {}
                    () = store.wait_for_check_request() => {}
                }
            }
        }
    });
}

/// Called after the last request: finishes writes in progress.
pub fn close(accounts: &AccountServices, runtime: &Runtime) {
    let closed = runtime.block_on(async { timeout(Duration::from_secs(5), accounts.store().close()).await });
    if closed.is_err() {
        tracing::warn!("account store closed before all writes were finished");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_error_names_the_required_user() {
        let failed = |kind: ErrorKind| {
            let cause = StoreError::File { path: "/srv/doorward.db".into(), error: kind.into() };
            let error = anyhow::Error::new(cause).context("cannot open the store");
            format!("{:#}", add_owner_hint(error))
        };
        let message = failed(ErrorKind::PermissionDenied);
        assert!(
            message.starts_with("cannot open the store: cannot store accounts in /srv/doorward.db: "),
            "{message}"
        );
        assert!(message.ends_with("(run this as the user Doorward runs as, or as root)"), "{message}");
        assert!(!failed(ErrorKind::StorageFull).contains("root"));
    }
}
