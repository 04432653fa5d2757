//! The account services: one handle to login, passwords, sessions, lockout and governance.

use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::OnceCell;

use super::{
    GovernanceService, Lockout, LockoutLog, LoginError, LoginSuccess,
    hashing::{CostliestMethods, PasswordHasher},
};
use crate::{
    domain::{
        account::AccountId,
        session::{Session, SessionHash},
    },
    session::{BeginSessionError, CookieSecret, NewSession, SessionService},
    store::{Store, StoreError},
    telemetry::account_metrics::AccountMetrics,
    tenants::TenantRegistry,
};

/// Cheap to clone. Created in `boot` if `[accounts]` is enabled.
#[derive(Clone)]
pub struct AccountServices(pub(super) Arc<AccountServicesInner>);

pub(super) struct AccountServicesInner {
    pub store: Store,
    pub hasher: PasswordHasher,
    pub sessions: SessionService,
    pub lockout: Lockout,
    pub governance: GovernanceService,
    pub tenants: Arc<TenantRegistry>,
    pub metrics: Arc<AccountMetrics>,
    pub http: reqwest::Client,
    random: SystemRandom,
    /// Set once the cost of foreign hashes has been measured.
    calibrated: OnceCell<()>,
}

/// Accounts read per query during calibration.
const CALIBRATION_BATCH: u32 = 1000;

/// The dependencies of the account services.
pub struct AccountDependencies {
    pub store: Store,
    pub hasher: PasswordHasher,
    pub sessions: SessionService,
    pub tenants: Arc<TenantRegistry>,
    pub metrics: Arc<AccountMetrics>,
    /// A secret of the store, equal for all replicas.
    pub secret: [u8; 32],
    pub http: reqwest::Client,
}

impl AccountServices {
    pub fn new(parts: AccountDependencies) -> Self {
        let AccountDependencies { store, hasher, sessions, tenants, metrics, secret, http } = parts;
        let lockout = Lockout::new(store.clone(), &secret, LockoutLog::new(Arc::clone(&metrics)));
        let governance = GovernanceService::new(store.clone(), Arc::clone(&tenants));
        Self(Arc::new(AccountServicesInner {
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

    /// The lockout engine, also for the portal's login.
    pub fn lockout(&self) -> &Lockout {
        &self.0.lockout
    }

    /// Searches the store for hashes of other systems and measures their cost, so that a refusal takes equally long
    /// for every name. Runs at the start, and again as accounts are imported and their hashes renewed.
    pub async fn calibrate(&self) -> Result<(), LoginError> {
        let (mut methods, mut after, form) = (CostliestMethods::default(), None, self.0.hasher.hash_format());
        loop {
            let found = self
                .0
                .store
                .accounts()
                .passwords_in_other_formats(&form, after.as_ref(), CALIBRATION_BATCH)
                .await?;
            for (_, stored) in &found {
                methods.add(stored.expose());
            }
            match found.last() {
                Some((last, _)) if found.len() >= CALIBRATION_BATCH as usize => after = Some(last.clone()),
                _ => break,
            }
        }
        Ok(self.0.hasher.calibrate(methods).await?)
    }

    /// Waits for the first calibration: without it the response time would disclose foreign hashes.
    pub async fn ensure_calibrated(&self) -> Result<(), LoginError> {
        self.0.calibrated.get_or_try_init(|| self.calibrate()).await.copied()
    }

    /// Overrides that administrators set for tenants.
    pub fn governance(&self) -> &GovernanceService {
        &self.0.governance
    }

    pub fn sessions(&self) -> &SessionService {
        &self.0.sessions
    }

    pub fn metrics(&self) -> &AccountMetrics {
        &self.0.metrics
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Creates a session after a login; returns the value of its cookie. The previous session of the browser ends.
    pub async fn begin_session(
        &self,
        signed_in: &LoginSuccess,
        user_agent: &str,
        address: std::net::IpAddr,
        previous: Option<&CookieSecret>,
        now: u64,
    ) -> Result<CookieSecret, BeginSessionError> {
        let LoginSuccess { account, policy, .. } = signed_in;
        let (settings, reject_disabled_accounts) = (&policy.session, policy.rules.reject_disabled_accounts);
        let new_session =
            NewSession { account, settings, reject_disabled_accounts, user_agent, address, previous };
        self.0.sessions.new_session(new_session, now).await
    }

    /// `false`: the session had already ended.
    pub async fn end_session(&self, hash: &SessionHash, now: u64) -> Result<bool, StoreError> {
        self.0.sessions.end(hash, now).await
    }

    /// The active sessions of an account, the last used first.
    pub async fn list_sessions(&self, account: &AccountId, now: u64) -> Result<Vec<Session>, StoreError> {
        self.0.sessions.list(account, now).await
    }

    pub(super) fn random_bytes(&self) -> Result<[u8; 16], StoreError> {
        let mut bytes = [0; 16];
        let filled = self.0.random.fill(&mut bytes);
        filled.map_err(|_| StoreError::Unavailable("the system has no random numbers".to_owned()))?;
        Ok(bytes)
    }
}
