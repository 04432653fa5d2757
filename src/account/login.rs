//! Login: reserve, then verify, then record the outcome. An unknown name, a locked or disabled account and
//! a wrong password take the same path through this file, cost the same, and are answered after the same
//! time, also if an account still has a foreign hash.

use std::{sync::Arc, time::Duration};

use super::{
    AccountServices, LogSubject, LoginAttempt, LoginError, ReserveError,
    hashing::{BusyCause, DelayedRefusal, HashSlotPermit, HasherBusy, Password, PasswordVerification},
};
use crate::{
    config::TenantPolicy,
    domain::{
        account::{Account, AccountId, LoginName, StoredPassword},
        client::ClientAddress,
        lockout::{DeviceId, LoginSubject, message::AccountLabel},
        tenant::TenantId,
    },
    store::{StoreError, StoredAccount},
    telemetry::account_metrics::SignInOutcome,
    tenants::TenantLookup,
};

/// Maximum wait for the outcome of other logins of the same name, which may lock it.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// The channel of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginChannel {
    Form,
    /// The management API, by HTTP Basic.
    Api,
    ChangePassword,
}

impl LoginChannel {
    /// The value in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Api => "api",
            Self::ChangePassword => "change-password",
        }
    }
}

pub struct LoginRequest<'a> {
    /// As entered: a user name, an e-mail address, `user@tenant`, `STORE/user`.
    pub login: &'a str,
    pub password: &'a Password,
    pub address: ClientAddress,
    /// The value of the device cookie.
    pub device: Option<&'a str>,
    pub channel: LoginChannel,
}

/// The end of an attempt with a correct password.
#[derive(Debug)]
pub enum LoginOutcome {
    Success(LoginSuccess),
    /// The password must be changed before a session begins.
    MustChangePassword(Account),
}

#[derive(Debug)]
pub struct LoginSuccess {
    pub account: Account,
    /// The policy of the account's own tenant, which may differ from the tenant of the request.
    pub policy: Arc<TenantPolicy>,
    /// The new value of the device cookie.
    pub device: String,
}

/// An account that is not blocked, after its password was verified.
pub(super) struct Authenticated {
    pub account: Account,
    pub policy: Arc<TenantPolicy>,
    /// The device id, if the device is known.
    pub device: Option<DeviceId>,
}

/// Holds the hash-queue permit of an attempt, and the delay of its refusal.
#[derive(Default)]
pub(super) struct AttemptGuard {
    /// The account of the attempt, for the log, also if the password was wrong.
    account: Option<AccountId>,
    /// The client's permit, held until the response: a permit that is released earlier would disclose how
    /// long the verification took.
    permit: Option<HashSlotPermit>,
    /// The remaining delay if the attempt was refused.
    delayed_refusal: Option<DelayedRefusal>,
}

impl AttemptGuard {
    /// Stores the delay, and returns the error: while the wait queue is full, the same for all.
    fn set_refusal(&mut self, refusal: DelayedRefusal, rejected: LoginError) -> LoginError {
        let busy = refusal.busy();
        self.delayed_refusal = Some(refusal);
        busy.map_or(rejected, LoginError::from)
    }
}

impl AccountServices {
    /// `now` is in milliseconds since the epoch.
    pub async fn login(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: LoginRequest<'_>,
        now: u64,
    ) -> Result<LoginOutcome, LoginError> {
        let mut guard = AttemptGuard::default();
        let result = self.complete_login(policy, &attempt, &mut guard, now).await;
        let (outcome, code) = match &result {
            Ok(LoginOutcome::Success(_)) => (SignInOutcome::signed_in, None),
            Ok(LoginOutcome::MustChangePassword(_)) => (SignInOutcome::password_expired, None),
            Err(rejected) => (rejected.metric_label(), rejected.code()),
        };
        self.0.metrics.count_sign_in(outcome);
        let (channel, tenant) = (attempt.channel.as_str(), policy.tenant.as_str());
        match &result {
            Ok(LoginOutcome::Success(signed_in)) => {
                let Account { id, username, .. } = &signed_in.account;
                tracing::info!(
                    target: "doorward::audit",
                    action = "login.succeeded",
                    channel,
                    tenant,
                    user = username,
                    account = %id,
                    address = %attempt.address,
                    "signed in"
                );
            }
            Ok(LoginOutcome::MustChangePassword(_)) | Err(_) => tracing::info!(
                target: "doorward::audit",
                action = "login.rejected",
                channel,
                tenant,
                account = guard.account.as_ref().map(tracing::field::display),
                address = %attempt.address,
                code = code.map(tracing::field::display),
                outcome = ?outcome,
                "sign-in rejected"
            ),
        }
        self.delay_refusal(guard, attempt.password).await;
        result
    }

    /// Delays a refusal to equalise timing. Called last, so that cancelled attempts are logged as well.
    pub(super) async fn delay_refusal(&self, guard: AttemptGuard, password: &Password) {
        if let Some(refusal) = guard.delayed_refusal {
            self.0.hasher.delay_refusal(refusal, password).await;
        }
    }

    async fn complete_login(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: &LoginRequest<'_>,
        guard: &mut AttemptGuard,
        now: u64,
    ) -> Result<LoginOutcome, LoginError> {
        let Authenticated { account, policy, device } =
            self.authenticate(policy, attempt, guard, now).await?;
        let expired =
            policy.rules.password_policy.is_expired(&account.roles, account.password_changed_at, now);
        if account.must_change_password || expired {
            return Ok(LoginOutcome::MustChangePassword(account));
        }
        self.0.store.accounts().record_login(&account.id, now).await?;
        let device = self.device_cookie(&account, device, now)?;
        Ok(LoginOutcome::Success(LoginSuccess { account, policy, device }))
    }

    /// Verifies the password of an account that is not blocked. On an error, the caller delays the response.
    pub(super) async fn authenticate(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: &LoginRequest<'_>,
        guard: &mut AttemptGuard,
        now: u64,
    ) -> Result<Authenticated, LoginError> {
        let place = self.0.hasher.acquire_permit(attempt.address);
        if let (Err(busy), None) = (&place, attempt.device) {
            return Err((*busy).into());
        }
        self.ensure_calibrated().await?;
        let lockout = &self.0.lockout;
        let named = self.suffix_tenant(attempt.login, &policy.tenant).await;
        let name = LoginName::parse(attempt.login, &policy.tenant, |tenant| {
            named.as_ref().is_some_and(|policy| policy.tenant == *tenant)
        });
        let found = match &name {
            Ok(name) => {
                let of = |tenant: &TenantId| named.as_ref().filter(|named| named.tenant == *tenant);
                let allowed = |tenant: &TenantId| of(tenant).unwrap_or(policy).rules.login_attributes.clone();
                self.0.store.accounts().by_login(name, allowed).await?
            }
            Err(_) => None,
        };
        // the lockout settings of the account's own tenant apply, whatever the tenant of the request
        let tenant = match (&found, &name) {
            (Some(StoredAccount { account, .. }), _) => &account.tenant,
            (None, Ok(name)) => &name.tenant,
            (None, Err(_)) => &policy.tenant,
        };
        let policy = Arc::clone(named.as_ref().filter(|named| named.tenant == *tenant).unwrap_or(policy));
        let account = found.as_ref().map(|found| &found.account);
        guard.account = account.map(|account| account.id.clone());
        let device = account
            .zip(attempt.device)
            .and_then(|(account, cookie)| lockout.verify_device_cookie(cookie, account, now));
        guard.permit = Some(match (place, device) {
            (Ok(place), _) => place,
            // reserved for browsers whose device cookie has been verified
            (Err(_), Some(_)) => self.0.hasher.acquire_reserved_permit(attempt.address)?,
            (Err(busy), None) => return Err(busy.into()),
        });
        let login_attempt = LoginAttempt {
            confusable: None,
            spelling: None,
            tenant: policy.tenant.clone(),
            subject: match (account, &name) {
                (Some(account), _) => LoginSubject::Account(account.id.clone()),
                (None, Ok(name)) => lockout.unknown_subject(name),
                (None, Err(_)) => lockout.invalid_name_subject(attempt.login),
            },
            log_subject: account.map(LogSubject::of),
            bypass: account.is_some_and(|account| policy.rules.account_lock.is_bypassed_by(&account.roles)),
            address: Some(attempt.address),
            device,
        };
        let rules = &policy.rules.account_lock;
        let reserved = match attempt.channel {
            LoginChannel::Api => {
                lockout.reserve_at_management(rules, login_attempt, OUTCOME_TIMEOUT, now).await
            }
            LoginChannel::Form | LoginChannel::ChangePassword => {
                lockout.reserve(rules, login_attempt, OUTCOME_TIMEOUT, now).await
            }
        };
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(ReserveError::Store(error)) => return Err(error.into()),
            Err(ReserveError::Busy { retry_after }) => {
                return Err(LoginError::Busy(HasherBusy { retry_after, cause: BusyCause::SameName }));
            }
            Err(ReserveError::Refused(refused)) => {
                // a locked account is answered after the same time
                let refusal = self.0.hasher.verify_dummy().await?;
                return Err(guard.set_refusal(refusal, LoginError::Locked(refused.until)));
            }
        };
        let block = account.and_then(|account| block(account, &policy));
        let usable = found.filter(|found| block.is_none() && found.password.is_usable());
        let matches = match &usable {
            Some(found) => self.0.hasher.verify(attempt.password, found.password.expose()).await,
            None => self.0.hasher.verify_dummy().await.map(PasswordVerification::without_stored_hash),
        };
        match (matches, usable) {
            (Err(busy), _) => {
                reservation.release().await?;
                Err(busy.into())
            }
            (Ok(verified), Some(StoredAccount { account, password: stored })) if verified.matches => {
                reservation.record_success().await?;
                if verified.needs_rehash {
                    self.rehash(&account, &stored, attempt.password).await;
                }
                Ok(Authenticated { account, policy, device })
            }
            (Ok(verified), _) => {
                reservation.record_failure();
                Err(guard.set_refusal(verified.refusal, block.unwrap_or(LoginError::BadCredentials)))
            }
        }
    }

    /// Issues the device cookie after a correct password; a known device keeps its id, or each login would add one.
    pub(super) fn device_cookie(
        &self,
        account: &Account,
        known: Option<DeviceId>,
        now: u64,
    ) -> Result<String, StoreError> {
        let device = known.map_or_else(|| self.random_bytes().map(DeviceId::new), Ok)?;
        Ok(self.0.lockout.device_cookie(account, device, now))
    }

    /// The policy of the tenant after the last `@`, if it exists and is not the requested one.
    pub async fn suffix_tenant(&self, login: &str, requested: &TenantId) -> Option<Arc<TenantPolicy>> {
        let (_, suffix) = login.trim().rsplit_once('@')?;
        let tenant = TenantId::parse(suffix).ok().filter(|tenant| tenant != requested)?;
        match self.0.tenants.load(&tenant).await {
            TenantLookup::Tenant(policy) => Some(policy),
            TenantLookup::Unknown => None,
        }
    }

    /// Replaces an outdated hash while the plaintext password is available. After a failure, the next login
    /// tries again.
    async fn rehash(&self, account: &Account, stored: &StoredPassword, password: &Password) {
        let Ok(new) = self.0.hasher.hash(password).await.map(StoredPassword::new) else { return };
        if let Err(error) = self.0.store.accounts().rehash(&account.id, stored, &new).await {
            tracing::warn!(%error, account = %account.id, "failed to renew a password hash");
        }
    }
}

/// Why the account is blocked independently of the password; also logged.
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

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "logins rejected: the store is not available");
        Self::Unavailable
    }
}

impl From<HasherBusy> for LoginError {
    fn from(busy: HasherBusy) -> Self {
        Self::Busy(busy)
    }
}
