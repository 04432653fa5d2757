//! Accounts: their store opened, and kept.

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
        Doors, Parts,
        hashing::{Cost, Hasher, Meters},
    },
    clock,
    config::{Settings, TenantDirectory},
    domain::fairness::{Limit, Resource},
    session::{Seal, Sessions},
    store::{Keep, Store, StoreError},
    telemetry::metrics::Metrics,
    token,
};

/// What is over is taken away this often; in the meantime a flood can make as many counters as the store can write.
const PURGE_EVERY: Duration = Duration::from_mins(1);
/// Hashes of other systems come with imports and go with sign-ins.
const CALIBRATE_EVERY: Duration = Duration::from_mins(5);
/// How often the store is asked whether it works, ...
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// ... while it does not, and at most.
const CHECK_AGAIN: Duration = Duration::from_millis(250);

/// The secret names and browsers are hashed with.
const SECRET: &str = "names";

/// Opens the store, which must answer: who starts without it would turn everybody away.
pub fn open(
    settings: &Settings,
    runtime: &Runtime,
    tenants: &Arc<TenantDirectory>,
    metrics: &Metrics,
) -> anyhow::Result<Doors> {
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
            let seal = Seal::new(&store.secret(Seal::NAME, for_sessions).await?);
            Ok::<_, StoreError>((store, secret, seal))
        })
        .with_context(|| format!("cannot open the store {} (accounts.store_url)", accounts.store.location))?;
    let hashing = &accounts.hashing;
    let cost = Cost { memory_kib: hashing.memory, iterations: hashing.iterations, parallelism: 1 };
    let share_full = metrics.client_limit(Limit::Held(Resource::HashSlot));
    let metrics = Arc::new(metrics.accounts.clone());
    let meters = Meters {
        verified: metrics.password_verifications.clone(),
        spent: metrics.passwords_spent.clone(),
        busy: metrics.password_queue_full.clone(),
        share_full,
    };
    let share = settings.limits.client.hash_slots.client;
    let hasher = Hasher::with_share(cost, hashing.parallel, hashing.queue, share, meters)
        .context("accounts.hash_memory")?;
    let sessions = Sessions::new(store.clone(), Arc::clone(tenants), runtime.handle().clone(), seal);
    let http = token::http_clients(&[])?.everywhere;
    let tenants = Arc::clone(tenants);
    let doors = Doors::new(Parts { store, hasher, sessions, tenants, metrics, secret, http });
    // before the first request: no tenant is ever without what was set for it
    let governed = runtime.block_on(doors.governance().refresh_all());
    governed.context("cannot read what administrators have set")?;
    Ok(doors)
}

/// A command beside a running Doorward is often somebody else's than the store: what to do then.
pub fn as_another_user(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(StoreError::Place { error: cause, .. }) if cause.kind() == ErrorKind::PermissionDenied => {
            anyhow!("{error:#} (run this as the user Doorward runs as, or as root)")
        }
        _ => error,
    }
}

/// Background work, until the runtime ends.
pub fn keep(doors: &Doors, runtime: &Runtime) {
    let (sessions, governance) = (doors.sessions().clone(), doors.governance().clone());
    runtime.spawn(async move { sessions.follow(|change| governance.heard(change)).await });
    let governance = doors.governance().clone();
    runtime.spawn(async move { governance.keep().await });
    let store = doors.store().clone();
    runtime.spawn(async move {
        let mut due = interval(PURGE_EVERY);
        loop {
            due.tick().await;
            match store.purge(Keep::default(), clock::millis()).await {
                Ok(gone) => tracing::debug!(?gone, "what is over has been purged"),
                Err(error) => tracing::warn!(%error, "what is over cannot be purged"),
            }
        }
    });
    let measuring = doors.clone();
    runtime.spawn(async move {
        let mut measured = measuring.calibrated().await;
        loop {
            if let Err(problem) = measured {
                tracing::warn!(?problem, "what imported passwords cost to verify could not be measured");
            }
            sleep(CALIBRATE_EVERY).await;
            measured = measuring.calibrate().await;
        }
    });
    let store = doors.store().clone();
    runtime.spawn(async move {
        loop {
            let state = store.check(clock::millis()).await;
            sleep(CHECK_AGAIN).await;
            if state.is_well() {
                select! {
                    () = sleep(CHECK_EVERY) => {}
                    () = store.doubted() => {}
                }
            }
        }
    });
}

/// After the last request: what is under way is finished.
pub fn close(doors: &Doors, runtime: &Runtime) {
    let closed = runtime.block_on(async { timeout(Duration::from_secs(5), doors.store().close()).await });
    if closed.is_err() {
        tracing::warn!("the store was left before it had finished");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_open_the_store_is_told_who_may() {
        let failed = |kind: ErrorKind| {
            let cause = StoreError::Place { path: "/srv/doorward.db".into(), error: kind.into() };
            let error = anyhow::Error::new(cause).context("cannot open the store");
            format!("{:#}", as_another_user(error))
        };
        let told = failed(ErrorKind::PermissionDenied);
        assert!(
            told.starts_with("cannot open the store: cannot keep accounts in /srv/doorward.db: "),
            "{told}"
        );
        assert!(told.ends_with("(run this as the user Doorward runs as, or as root)"), "{told}");
        assert!(!failed(ErrorKind::StorageFull).contains("root"));
    }
}
