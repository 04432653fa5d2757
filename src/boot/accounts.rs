//! Opens the account store and runs its background tasks.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use tokio::{
    runtime::Runtime,
    select,
    time::{interval, sleep, timeout},
};

use crate::{
    account::{
        AccountAdministration, AccountImport, Authenticator, HashCalibration, Lockout, LockoutLog,
        LoginService, NewPasswords, PasswordService, PortalLoginService,
        hashing::{Argon2Cost, HashMetrics, PasswordHasher},
    },
    clock::Clock,
    config::Settings,
    crypto::random_bytes,
    domain::fairness::{Limit, Resource},
    governance::{AuditTrail, GovernanceService},
    session::{CookieSigner, SessionService},
    store::{Retention, Store, StoreError},
    telemetry::{account_metrics::AccountMetrics, metrics::Metrics},
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

/// The services of accounts. Each consumer gets those it uses.
#[derive(Clone)]
pub struct AccountServices {
    pub clock: Clock,
    pub store: Store,
    pub metrics: Arc<AccountMetrics>,
    pub lockout: Lockout,
    pub calibration: HashCalibration,
    pub sessions: SessionService,
    pub login: LoginService,
    pub portal_login: PortalLoginService,
    pub passwords: PasswordService,
    pub administration: AccountAdministration,
    pub import: AccountImport,
    pub governance: GovernanceService,
    pub audit: AuditTrail,
}

/// The store with the secrets that all replicas share.
struct OpenedStore {
    store: Store,
    /// For user names and device cookies.
    names_secret: [u8; 32],
    signer: CookieSigner,
}

/// Opens the store, which must answer: a start without it would lock out all users.
pub fn open(
    settings: &Settings,
    runtime: &Runtime,
    tenants: &Arc<TenantRegistry>,
    metrics: &Metrics,
    clock: Clock,
) -> anyhow::Result<AccountServices> {
    let OpenedStore { store, names_secret, signer } = open_store(settings, runtime)?;
    let hasher = hasher(settings, metrics)?;
    let metrics = Arc::new(metrics.accounts.clone());
    let sessions = SessionService::new(store.clone(), Arc::clone(tenants), runtime.handle().clone(), signer);
    let lockout = Lockout::new(store.clone(), &names_secret, LockoutLog::new(Arc::clone(&metrics)));
    let calibration = HashCalibration::new(store.clone(), hasher.clone());
    let authenticator = Authenticator {
        store: store.clone(),
        hasher: hasher.clone(),
        lockout: lockout.clone(),
        tenants: Arc::clone(tenants),
        calibration: calibration.clone(),
    };
    let new_passwords = NewPasswords {
        store: store.clone(),
        hasher: hasher.clone(),
        metrics: Arc::clone(&metrics),
        http: token::http_clients(&[])?.everywhere,
    };
    let services = AccountServices {
        clock,
        login: LoginService::new(authenticator.clone(), Arc::clone(&metrics)),
        portal_login: PortalLoginService::new(store.clone(), lockout.clone(), Arc::clone(tenants)),
        passwords: PasswordService {
            authenticator,
            new_passwords: new_passwords.clone(),
            sessions: sessions.clone(),
        },
        administration: AccountAdministration {
            store: store.clone(),
            lockout: lockout.clone(),
            tenants: Arc::clone(tenants),
            new_passwords,
            sessions: sessions.clone(),
        },
        import: AccountImport::new(store.clone(), hasher),
        governance: GovernanceService::new(store.clone(), Arc::clone(tenants)),
        audit: AuditTrail::new(store.clone()),
        store,
        metrics,
        lockout,
        calibration,
        sessions,
    };
    // before the first request: administrator overrides apply from the first request on
    let refreshed = runtime.block_on(services.governance.refresh_all());
    refreshed.context("cannot read administrator overrides")?;
    Ok(services)
}

fn open_store(settings: &Settings, runtime: &Runtime) -> anyhow::Result<OpenedStore> {
    let accounts = &settings.accounts;
    let (for_names, for_sessions) = (random_bytes()?, random_bytes()?);
    let opened = runtime.block_on(async {
        let store = Store::open(&accounts.store).await?;
        let names_secret = store.secret(SECRET, for_names).await?;
        let signer = CookieSigner::new(&store.secret(CookieSigner::SECRET_NAME, for_sessions).await?);
        Ok::<_, StoreError>(OpenedStore { store, names_secret, signer })
    });
    opened.with_context(|| format!("cannot open the store {} (accounts.store_url)", accounts.store.location))
}

fn hasher(settings: &Settings, metrics: &Metrics) -> anyhow::Result<PasswordHasher> {
    let hashing = &settings.accounts.hashing;
    let cost = Argon2Cost { memory_kib: hashing.memory, iterations: hashing.iterations, parallelism: 1 };
    let accounts = &metrics.accounts;
    let meters = HashMetrics {
        verified: accounts.password_verifications.clone(),
        dummy: accounts.dummy_password_verifications.clone(),
        busy: accounts.password_queue_full.clone(),
        client_limit: metrics.client_limit(Limit::Concurrency(Resource::HashSlot)),
    };
    let client_limit = settings.limits.client.hash_slots.client;
    PasswordHasher::with_client_limit(cost, hashing.parallel, hashing.queue, client_limit, meters)
        .context("accounts.hash_memory")
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
    let (sessions, governance) = (accounts.sessions.clone(), accounts.governance.clone());
    runtime.spawn(async move { sessions.follow_changes(|change| governance.enqueue(change)).await });
    let governance = accounts.governance.clone();
    runtime.spawn(async move { governance.run().await });
    let (store, clock) = (accounts.store.clone(), accounts.clock.clone());
    runtime.spawn(async move {
        let mut due = interval(PURGE_INTERVAL);
        loop {
            due.tick().await;
            match store.purge(Retention::default(), clock.now()).await {
                Ok(gone) => tracing::debug!(?gone, "expired rows purged"),
                Err(error) => tracing::warn!(%error, "failed to purge expired rows"),
            }
        }
    });
    let calibration = accounts.calibration.clone();
    runtime.spawn(async move {
        let mut measured = calibration.ensure().await;
        loop {
            if let Err(problem) = measured {
                tracing::warn!(%problem, "failed to measure the cost of imported password hashes");
            }
            sleep(CALIBRATION_INTERVAL).await;
            measured = calibration.run().await;
        }
    });
    let (store, clock) = (accounts.store.clone(), accounts.clock.clone());
    runtime.spawn(async move {
        loop {
            let state = store.check(clock.now()).await;
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
    let closed = runtime.block_on(async { timeout(Duration::from_secs(5), accounts.store.close()).await });
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
