//! Password authentication: reserves the attempt, verifies the password, records the outcome. For an unknown name, a
//! locked or disabled account and a wrong password, the code path, the CPU cost and the response time are the same, even
//! if an account still has a hash of another algorithm that was imported.

use std::{sync::Arc, time::Duration};

use super::{
    HashCalibration, Lockout, LogSubject, LoginAttempt, LoginChannel, LoginError, LoginRequest, Reservation,
    ReserveError,
    hashing::{DelayedRefusal, HashSlotPermit, Password, PasswordHasher, PasswordVerification},
    suffix_tenant::parse_login,
};
use crate::{
    config::TenantPolicy,
    crypto::{RandomUnavailable, random_bytes},
    domain::{
        account::{Account, AccountId, StoredPassword},
        lockout::{DeviceId, LoginSubject, message::AccountLabel},
        tenant::TenantId,
        time::Timestamp,
    },
    store::{Store, StoreError, StoredAccount},
    tenants::TenantRegistry,
};

/// Maximum wait for the outcome of concurrent attempts with the same name, which may lock that name.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// Cheap to clone. Shared by login and password change, so that failures of both count towards the same lockout.
#[derive(Clone)]
pub struct Authenticator {
    pub store: Store,
    pub hasher: PasswordHasher,
    pub lockout: Lockout,
    pub tenants: Arc<TenantRegistry>,
    pub calibration: HashCalibration,
}

/// An account that is not blocked, after its password was verified.
pub(super) struct Authenticated {
    pub account: Account,
    pub policy: Arc<TenantPolicy>,
    /// From a verified device cookie.
    pub device: Option<DeviceId>,
}

/// Holds the hash-queue permit of an attempt, and the delay of its refusal.
#[derive(Default)]
pub(super) struct AttemptGuard {
    /// The account of the attempt, for the log, also if the password was wrong.
    pub account: Option<AccountId>,
    /// The client's permit, held until the response: a permit that is released earlier would disclose how
    /// long the verification took.
    permit: Option<HashSlotPermit>,
    /// The remaining delay if the attempt was refused.
    delayed_refusal: Option<DelayedRefusal>,
}

impl AttemptGuard {
    /// Stores the delay, and returns the error of the response: `rejected`, or while the wait queue is full the same "busy"
    /// for every refused attempt.
    fn set_refusal(&mut self, refusal: DelayedRefusal, rejected: LoginError) -> LoginError {
        let busy = refusal.busy();
        self.delayed_refusal = Some(refusal);
        busy.map_or(rejected, LoginError::from)
    }
}

/// A login name with its tenant, its lockout subject and its account.
struct ResolvedLogin {
    /// The policy of the tenant to which the name belongs.
    policy: Arc<TenantPolicy>,
    subject: LoginSubject,
    found: Option<StoredAccount>,
}

impl Authenticator {
    /// Verifies the password of an account that is not blocked. On an error, the caller must call `delay_refusal`.
    pub(super) async fn authenticate(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: &LoginRequest<'_>,
        guard: &mut AttemptGuard,
        now: Timestamp,
    ) -> Result<Authenticated, LoginError> {
        let permit = self.hasher.acquire_permit(attempt.address);
        if let (Err(busy), None) = (&permit, attempt.device) {
            return Err((*busy).into());
        }
        self.calibration.ensure().await?;
        let ResolvedLogin { policy, subject, found } = self.resolve(policy, attempt.login).await?;
        let account = found.as_ref().map(|found| &found.account);
        guard.account = account.map(|account| account.id.clone());
        let device = account
            .zip(attempt.device)
            .and_then(|(account, cookie)| self.lockout.verify_device_cookie(cookie, account, now));
        guard.permit = Some(match (permit, device) {
            (Ok(permit), _) => permit,
            // these permits are reserved for browsers with a verified device cookie
            (Err(_), Some(_)) => self.hasher.acquire_reserved_permit(attempt.address)?,
            (Err(busy), None) => return Err(busy.into()),
        });
        let login_attempt = LoginAttempt {
            tenant: policy.tenant.clone(),
            subject,
            confusable: None,
            spelling: None,
            log_subject: account.map(LogSubject::of),
            bypass: account.is_some_and(|account| policy.rules.account_lock.is_bypassed_by(&account.roles)),
            address: Some(attempt.address),
            device,
        };
        let reservation = match self.reserve(&policy, login_attempt, attempt.channel, now).await {
            Ok(reservation) => reservation,
            Err(refused @ ReserveError::Refused(_)) => {
                // a dummy verification, so that the response time does not disclose the lockout
                let refusal = self.hasher.verify_dummy().await?;
                return Err(guard.set_refusal(refusal, refused.into()));
            }
            Err(error) => return Err(error.into()),
        };
        let block = account.and_then(|account| block(account, &policy));
        let usable = found.filter(|found| block.is_none() && found.password.is_usable());
        let verified = match usable {
            Some(found) => {
                let verified = self.hasher.verify(attempt.password, found.password.expose()).await;
                verified.map(|verified| match verified {
                    PasswordVerification::Match { needs_rehash } => Ok((found, needs_rehash)),
                    PasswordVerification::Mismatch(refusal) => Err(refusal),
                })
            }
            None => self.hasher.verify_dummy().await.map(Err),
        };
        match verified {
            Err(busy) => {
                reservation.release().await?;
                Err(busy.into())
            }
            Ok(Ok((StoredAccount { account, password }, needs_rehash))) => {
                reservation.record_success().await?;
                if needs_rehash {
                    self.rehash(&account, &password, attempt.password).await;
                }
                Ok(Authenticated { account, policy, device })
            }
            Ok(Err(refusal)) => {
                reservation.record_failure();
                Err(guard.set_refusal(refusal, block.unwrap_or(LoginError::BadCredentials)))
            }
        }
    }

    /// Delays the response of a refused attempt, so that all refusals take the same time. Call it after logging: a client
    /// that disconnects during the delay cancels the rest.
    pub(super) async fn delay_refusal(&self, guard: AttemptGuard, password: &Password) {
        if let Some(refusal) = guard.delayed_refusal {
            self.hasher.delay_refusal(refusal, password).await;
        }
    }

    /// Returns the device cookie after a correct password. A known device retains its id, so that repeated logins do not add
    /// device ids.
    pub(super) fn device_cookie(
        &self,
        account: &Account,
        known: Option<DeviceId>,
        now: Timestamp,
    ) -> Result<String, RandomUnavailable> {
        let device = known.map_or_else(|| random_bytes().map(DeviceId::new), Ok)?;
        Ok(self.lockout.device_cookie(account, device, now))
    }

    /// Finds the account of a login name. The policy is that of the account's tenant, even if the request has another tenant.
    async fn resolve(&self, requested: &Arc<TenantPolicy>, login: &str) -> Result<ResolvedLogin, StoreError> {
        let Some(parsed) = parse_login(&self.tenants, login, requested).await else {
            let subject = self.lockout.invalid_name_subject(login);
            return Ok(ResolvedLogin { policy: Arc::clone(requested), subject, found: None });
        };
        let allowed = |tenant: &TenantId| parsed.policy_of(tenant).rules.login_attributes.clone();
        let found = self.store.accounts().by_login(&parsed.name, allowed).await?;
        let (tenant, subject) = match &found {
            Some(StoredAccount { account, .. }) => {
                (&account.tenant, LoginSubject::Account(account.id.clone()))
            }
            None => (&parsed.name.tenant, self.lockout.unknown_subject(&parsed.name)),
        };
        let policy = Arc::clone(parsed.policy_of(tenant));
        Ok(ResolvedLogin { policy, subject, found })
    }

    async fn reserve(
        &self,
        policy: &TenantPolicy,
        attempt: LoginAttempt,
        channel: LoginChannel,
        now: Timestamp,
    ) -> Result<Reservation, ReserveError> {
        let settings = &policy.rules.account_lock;
        match channel {
            LoginChannel::Api => {
                self.lockout.reserve_at_management(settings, attempt, OUTCOME_TIMEOUT, now).await
            }
            LoginChannel::Form | LoginChannel::ChangePassword => {
                self.lockout.reserve(settings, attempt, OUTCOME_TIMEOUT, now).await
            }
        }
    }

    /// Replaces an outdated hash while the plaintext password is available. A failure is only logged: the next login tries
    /// again.
    async fn rehash(&self, account: &Account, stored: &StoredPassword, password: &Password) {
        let Ok(new) = self.hasher.hash(password).await.map(StoredPassword::new) else { return };
        if let Err(error) = self.store.accounts().rehash(&account.id, stored, &new).await {
            tracing::warn!(%error, account = %account.id, "failed to renew a password hash");
        }
    }
}

/// Returns and logs the reason for which the account is blocked, whatever the password. `None`: it is not blocked.
pub(super) fn block(account: &Account, policy: &TenantPolicy) -> Option<LoginError> {
    let subject =
        AccountLabel { user: &account.username, user_store: &account.user_store, tenant: &account.tenant };
    if account.disabled && policy.rules.reject_disabled_accounts {
        tracing::error!("{}", subject.disabled());
        Some(LoginError::Disabled)
    } else if account.admin_lock.is_some() {
        tracing::error!("{}", subject.locked_by_admin());
        Some(LoginError::LockedByAdmin)
    } else {
        None
    }
}
