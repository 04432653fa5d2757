//! The doors: one handle to all that has to do with accounts.

use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::OnceCell;

use super::{
    Governance, Lockout, Notices, Rejected, SignedIn,
    hashing::{Hasher, Kinds},
};
use crate::{
    config::TenantDirectory,
    domain::{
        account::AccountId,
        session::{Session, SessionHash},
    },
    session::{Begin, CookieSecret, NotBegun, Sessions},
    store::{Store, StoreError},
    telemetry::accounts::AccountMetrics,
};

/// Cheap to clone. Made in `boot`, when `[accounts]` is on.
#[derive(Clone)]
pub struct Doors(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub store: Store,
    pub hasher: Hasher,
    pub sessions: Sessions,
    pub lockout: Lockout,
    pub governance: Governance,
    pub tenants: Arc<TenantDirectory>,
    pub metrics: Arc<AccountMetrics>,
    pub http: reqwest::Client,
    random: SystemRandom,
    /// Whether it is known what hashes of other systems cost.
    calibrated: OnceCell<()>,
}

/// Accounts looked at in one go.
const AT_A_TIME: u32 = 1000;

/// What doors are made of.
pub struct Parts {
    pub store: Store,
    pub hasher: Hasher,
    pub sessions: Sessions,
    pub tenants: Arc<TenantDirectory>,
    pub metrics: Arc<AccountMetrics>,
    /// The store's own, the same for all replicas.
    pub secret: [u8; 32],
    pub http: reqwest::Client,
}

impl Doors {
    pub fn new(parts: Parts) -> Self {
        let Parts { store, hasher, sessions, tenants, metrics, secret, http } = parts;
        let lockout = Lockout::new(store.clone(), &secret, Notices::new(Arc::clone(&metrics)));
        let governance = Governance::new(store.clone(), Arc::clone(&tenants));
        Self(Arc::new(Shared {
            store,
            hasher,
            sessions,
            lockout,
            governance,
            tenants,
            metrics,
            http,
            random: SystemRandom::new(),
            calibrated: OnceCell::new(),
        }))
    }

    /// The one lockout engine, for doors that are not ours.
    pub fn lockout(&self) -> &Lockout {
        &self.0.lockout
    }

    /// Looks through the store for hashes of other systems and measures what they cost, so that a refusal takes as long for
    /// every name. At the start, and again as accounts are imported and their hashes are renewed.
    pub async fn calibrate(&self) -> Result<(), Rejected> {
        let (mut kinds, mut after, form) = (Kinds::default(), None, self.0.hasher.form());
        loop {
            let found = self.0.store.accounts().passwords_unlike(&form, after.as_ref(), AT_A_TIME).await?;
            for (_, stored) in &found {
                kinds.add(stored.expose());
            }
            match found.last() {
                Some((last, _)) if found.len() >= AT_A_TIME as usize => after = Some(last.clone()),
                _ => break,
            }
        }
        Ok(self.0.hasher.calibrate(kinds).await?)
    }

    /// Nobody is answered before it is known how late to answer.
    pub async fn calibrated(&self) -> Result<(), Rejected> {
        self.0.calibrated.get_or_try_init(|| self.calibrate()).await.copied()
    }

    /// What administrators set for tenants.
    pub fn governance(&self) -> &Governance {
        &self.0.governance
    }

    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub fn metrics(&self) -> &AccountMetrics {
        &self.0.metrics
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// A session for who has just signed in; what its cookie is to hold. The browser's session before ends.
    pub async fn begin_session(
        &self,
        signed_in: &SignedIn,
        user_agent: &str,
        address: std::net::IpAddr,
        old: Option<&CookieSecret>,
        now: u64,
    ) -> Result<CookieSecret, NotBegun> {
        let SignedIn { account, policy, .. } = signed_in;
        let (settings, disabled_stay_out) = (&policy.session, policy.rules.disabled_stay_out);
        let begin = Begin { account, settings, disabled_stay_out, user_agent, address, old };
        self.0.sessions.begin(begin, now).await
    }

    /// `false`: it had ended already.
    pub async fn end_session(&self, hash: &SessionHash, now: u64) -> Result<bool, StoreError> {
        self.0.sessions.end(hash, now).await
    }

    /// Those of an account that are alive, the one used last first.
    pub async fn sessions_of(&self, account: &AccountId, now: u64) -> Result<Vec<Session>, StoreError> {
        self.0.sessions.list(account, now).await
    }

    pub(super) fn random(&self) -> Result<[u8; 16], StoreError> {
        let mut bytes = [0; 16];
        let filled = self.0.random.fill(&mut bytes);
        filled.map_err(|_| StoreError::Unavailable("the system has no random numbers".to_owned()))?;
        Ok(bytes)
    }
}
