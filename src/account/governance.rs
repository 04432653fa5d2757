//! What administrators set for tenants: kept in the store, in force here when the call returns, and elsewhere as soon as
//! the news arrives.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{interval, sleep},
};

use crate::{
    config::{TenantDirectory, TenantPolicy, directory::Found, governance},
    domain::{
        audit::{Actor, Deed},
        governance::{Connector, Refusal, Write, revert, update},
        tenant::TenantId,
    },
    store::{Change, GovernanceError, Store, StoreError, Stored},
};

/// All is read anew this often, whatever news was lost.
const HEAL_EVERY: Duration = Duration::from_mins(15);
/// How soon a store that does not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum GovernError {
    #[error("there is no such tenant")]
    NoTenant,
    #[error("{}", .0.description())]
    Refused(Refusal),
    #[error("somebody else has changed these settings meanwhile: they are at version {version}")]
    Stale { version: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A handle, cheap to clone.
#[derive(Clone)]
pub struct Governance(Arc<Shared>);

struct Shared {
    store: Store,
    tenants: Arc<TenantDirectory>,
    /// Held from before the store is asked until its answer is in force, so that none overtakes a newer one.
    turn: tokio::sync::Mutex<()>,
    heard: Mutex<Heard>,
    wake: Notify,
}

/// What has changed elsewhere and is not in force here.
#[derive(Default)]
struct Heard {
    everything: bool,
    tenants: BTreeSet<TenantId>,
}

/// A tenant's properties as they are in force.
#[derive(Debug, Clone)]
pub struct Values(Arc<TenantPolicy>);

impl Values {
    /// In WSO2's units, secrets too.
    pub fn get(&self, property: &str) -> String {
        governance::value_of(&self.0, property)
    }

    /// Whether administrators have set it.
    pub fn is_set(&self, property: &str) -> bool {
        self.0.governance.administrators.get(property).is_some()
    }

    /// One more with each change by an administrator. What files say has no part in it.
    pub fn version(&self) -> u64 {
        self.0.governance.version
    }

    /// The numbers of the rules by which passwords expire.
    pub fn rule_numbers(&self) -> impl Iterator<Item = u32> {
        governance::rule_numbers(&self.0)
    }
}

impl Governance {
    pub fn new(store: Store, tenants: Arc<TenantDirectory>) -> Self {
        let (turn, heard, wake) = Default::default();
        Self(Arc::new(Shared { store, tenants, turn, heard, wake }))
    }

    pub async fn read(&self, tenant: &TenantId) -> Result<Values, GovernError> {
        match self.0.tenants.load(tenant).await {
            Found::Tenant(policy) => Ok(Values(policy)),
            Found::Unknown => Err(GovernError::NoTenant),
        }
    }

    /// Changes properties of one or several connectors, all or none. `expected` is the version they were changed for.
    pub async fn patch(
        &self,
        tenant: &TenantId,
        changes: &[(&'static Connector, Vec<(String, String)>)],
        expected: Option<u64>,
        actor: &Actor,
        now: u64,
    ) -> Result<Values, GovernError> {
        let before = self.read(tenant).await?;
        let decide = |stored: &Stored| {
            // on top of what is set now, which may be newer than what is in force here
            let set = governance::Set::new(stored.version, stored.overrides.clone());
            let current = self.0.tenants.would_be(tenant, &set);
            let current = current.as_ref().unwrap_or(&before.0);
            update(changes, &|name| governance::value_of(current, name))
        };
        self.change(tenant, expected, decide, ("governance.update", actor), now).await
    }

    /// What the files say about these properties of one or several connectors counts again, of all or of none.
    pub async fn revert(
        &self,
        tenant: &TenantId,
        taken_back: &[(&'static Connector, Vec<String>)],
        expected: Option<u64>,
        actor: &Actor,
        now: u64,
    ) -> Result<Values, GovernError> {
        self.read(tenant).await?;
        let decide = |_: &Stored| revert(taken_back);
        self.change(tenant, expected, decide, ("governance.revert", actor), now).await
    }

    async fn change(
        &self,
        tenant: &TenantId,
        expected: Option<u64>,
        decide: impl FnOnce(&Stored) -> Result<Vec<Write>, Refusal>,
        (action, actor): (&'static str, &Actor),
        now: u64,
    ) -> Result<Values, GovernError> {
        let turn = self.0.turn.lock().await;
        let done = self.0.store.governance().update(tenant, expected, decide, (action, actor), now).await;
        let (stored, deeds) = done.map_err(|error| match error {
            GovernanceError::Refused(refusal) => GovernError::Refused(refusal),
            GovernanceError::Stale { version } => GovernError::Stale { version },
            GovernanceError::Store(error) => GovernError::Store(error),
        })?;
        log(&stored, &deeds, actor);
        self.put(stored).await;
        drop(turn);
        self.read(tenant).await
    }

    /// What is set for all tenants, as the store has it, is in force here when this returns.
    pub async fn refresh_all(&self) -> Result<(), StoreError> {
        let _turn = self.0.turn.lock().await;
        let all = self.0.store.governance().all().await?;
        let sets = all
            .into_iter()
            .map(|stored| (stored.tenant, governance::Set::new(stored.version, stored.overrides)));
        self.0.tenants.govern_all(sets.collect()).await;
        Ok(())
    }

    async fn refresh(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let _turn = self.0.turn.lock().await;
        let stored = self.0.store.governance().of(tenant).await?;
        self.put(stored).await;
        Ok(())
    }

    async fn put(&self, stored: Stored) {
        let set = governance::Set::new(stored.version, stored.overrides);
        self.0.tenants.govern(&stored.tenant, set).await;
    }

    /// Something has changed elsewhere; `keep` sees to it.
    pub fn heard(&self, change: &Change) {
        let mut heard = self.0.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Governance(tenant) => {
                heard.tenants.insert(tenant.clone());
            }
            Change::Everything => heard.everything = true,
            Change::SessionEnded(_) | Change::SessionsOf(_) | Change::AccountChanged(_) => return,
        }
        drop(heard);
        self.0.wake.notify_one();
    }

    /// Brings into force what is heard of, for as long as it is polled. While the store does not answer, what was set
    /// before stays in force.
    pub async fn keep(&self) {
        let mut heal = interval(HEAL_EVERY);
        heal.tick().await;
        loop {
            tokio::select! {
                () = self.0.wake.notified() => {}
                _ = heal.tick() => self.heard(&Change::Everything),
            }
            let mut complained = false;
            while let Err(error) = self.catch_up().await {
                if !complained {
                    complained = true;
                    tracing::error!(%error, "what administrators have set cannot be read; what was set before stays");
                }
                sleep(ASK_AGAIN).await;
            }
        }
    }

    async fn catch_up(&self) -> Result<(), StoreError> {
        let mut heard = std::mem::take(&mut *self.0.heard.lock().unwrap_or_else(PoisonError::into_inner));
        let mut done = if heard.everything { self.refresh_all().await } else { Ok(()) };
        if heard.everything && done.is_ok() {
            return done;
        }
        while done.is_ok()
            && let Some(tenant) = heard.tenants.pop_first()
        {
            done = self.refresh(&tenant).await;
            if done.is_err() {
                heard.tenants.insert(tenant);
            }
        }
        if done.is_err() {
            let mut again = self.0.heard.lock().unwrap_or_else(PoisonError::into_inner);
            again.everything |= heard.everything;
            again.tenants.append(&mut heard.tenants);
        }
        done
    }
}

fn log(stored: &Stored, deeds: &[Deed], actor: &Actor) {
    for Deed { action, target, before, after } in deeds {
        tracing::info!(
            target: "doorward::audit",
            action,
            tenant = %stored.tenant,
            version = stored.version,
            %actor,
            address = actor.address.map(tracing::field::display),
            request_id = actor.request_id,
            property = target,
            before,
            after,
            "a setting was changed"
        );
    }
}
