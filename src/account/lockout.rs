//! Lockout engine of all login channels: counts each attempt in the store before the password is verified.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{
    GuardedName,
    lockout_log::{LockoutLog, LogSubject, log_locked},
    pending_attempts::{LockOutlook, OutcomeWatch, PendingAttempts, PendingReservation},
};
use crate::{
    crypto::HmacKey,
    domain::{
        account::{LoginName, confusable, names},
        client::ClientAddress,
        lockout::{
            self, CountedAttempt, CounterKey, DeviceId, LockoutRefusal, LockoutSettings, LoginSubject,
            NameHash, ReservedCounters, SuccessSummary,
        },
        tenant::TenantId,
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// Interval at which a recent lock is read again, because another replica may remove it.
const RECHECK_INTERVAL: Duration = Duration::from_millis(500);
/// A lock counts as recent up to this age, which is longer than a password verification takes.
const RECENT_LOCK: Duration = Duration::from_secs(2);
/// The value of `Retry-After`.
const RETRY_AFTER: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Lockout {
    store: Store,
    /// Counters of names are identified by a keyed hash, so that a client cannot compute names that share a counter.
    key: Arc<HmacKey>,
    log: LockoutLog,
    pending: PendingAttempts,
}

/// A login attempt as the lockout engine needs it: subject and origin.
#[derive(Debug, Clone)]
pub struct LoginAttempt {
    pub tenant: TenantId,
    pub subject: LoginSubject,
    /// Set at the portal's login: see [`Lockout::confusable`].
    pub confusable: Option<NameHash>,
    /// Set at the portal's login: a hash of the client and of the name as written.
    pub spelling: Option<NameHash>,
    /// For the log; `None` for an unknown name.
    pub log_subject: Option<LogSubject>,
    /// The account has the role that is exempt from lockout (`account_lock.bypass_role`).
    pub bypass: bool,
    pub address: Option<ClientAddress>,
    /// From a verified device cookie of this account.
    pub device: Option<DeviceId>,
}

impl LoginAttempt {
    /// Separates the fields that determine the counters from the others.
    fn split(self) -> (CountedAttempt, Context) {
        let Self { tenant, subject, confusable, spelling, log_subject, bypass, address, device } = self;
        let is_guarded = spelling.is_some() || matches!(subject, LoginSubject::PortalName(_));
        let ip = address.map(|address| address.ip);
        let attempt = CountedAttempt { tenant, subject, confusable, spelling, address: ip, device };
        (attempt, Context { log_subject, bypass, address, is_guarded })
    }
}

/// The fields of an attempt that do not determine its counters.
struct Context {
    log_subject: Option<LogSubject>,
    bypass: bool,
    address: Option<ClientAddress>,
    /// The attempt is a login at the portal, whose caller logs refusals: see [`LockoutLog::refused_at_portal`].
    is_guarded: bool,
}

impl Context {
    fn counted_address(&self, settings: &LockoutSettings) -> Option<IpAddr> {
        let address = self.address.filter(|address| settings.counts_address(*address, self.bypass));
        address.map(|address| address.ip)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    #[error("locked out")]
    Refused(LockoutRefusal),
    /// Pending attempts determine whether the name is locked, and they take too long or too many attempts wait for them.
    #[error("too many attempts at once")]
    Busy { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A reserved attempt, counted as failed until a success is recorded. If it is dropped, the attempt stays counted as failed.
pub struct Reservation {
    lockout: Lockout,
    tenant: TenantId,
    settings: Arc<LockoutSettings>,
    reserved: ReservedCounters,
    /// `None`: the outcome has been recorded.
    pending: Option<PendingReservation>,
    context: Context,
}

/// The counters of an attempt, and the maximum wait for the outcome of other attempts.
struct ReserveRequest {
    tenant: TenantId,
    keys: Vec<CounterKey>,
    context: Context,
    max_wait: Duration,
    now: Timestamp,
}

impl Lockout {
    pub fn new(store: Store, secret: &[u8; 32], log: LockoutLog) -> Self {
        Self { store, key: Arc::new(HmacKey::new(secret)), log, pending: PendingAttempts::default() }
    }

    pub(super) const fn log(&self) -> &LockoutLog {
        &self.log
    }

    /// The subject of a name without an account.
    pub fn unknown_subject(&self, name: &LoginName) -> LoginSubject {
        LoginSubject::unknown(&self.keyed_hash(&["unknown", &names::key(&name.user_store, &name.canonical)]))
    }

    /// The subject of a text that is not a valid name.
    pub(super) fn invalid_name_subject(&self, written: &str) -> LoginSubject {
        LoginSubject::unknown(&self.keyed_hash(&["no name", written]))
    }

    /// The hash of a name without a Doorward account, for the portal's login.
    pub fn portal_name_hash(&self, tenant: &TenantId, name: &str) -> NameHash {
        NameHash::of(&self.keyed_hash(&["portal", tenant.as_str(), name]))
    }

    /// A hash that is the same for all names that the portal may treat as equal to this one (confusable characters).
    pub(super) fn confusable(&self, tenant: &TenantId, name: &str) -> NameHash {
        let name = names::canonical(name).unwrap_or_else(|_| name.to_owned());
        NameHash::of(&self.keyed_hash(&["alike", tenant.as_str(), &confusable::skeleton(&name)]))
    }

    pub(super) fn keyed_hash(&self, parts: &[&str]) -> [u8; 32] {
        self.key.tag(parts.join("\0").as_bytes())
    }

    /// Counts the attempt as failed before the password is verified; the last allowed attempt locks the name at once. If the
    /// name is locked by pending attempts, waits for their outcome for at most `max_wait`: a success removes the lock.
    pub async fn reserve(
        &self,
        settings: &Arc<LockoutSettings>,
        login_attempt: LoginAttempt,
        max_wait: Duration,
        now: Timestamp,
    ) -> Result<Reservation, ReserveError> {
        self.reserve_with(settings, login_attempt, max_wait, now, lockout::counter_keys).await
    }

    /// As `reserve`, at the management API: see [`lockout::management_lockout`].
    pub async fn reserve_at_management(
        &self,
        settings: &LockoutSettings,
        login_attempt: LoginAttempt,
        max_wait: Duration,
        now: Timestamp,
    ) -> Result<Reservation, ReserveError> {
        let (attempt, mut context) = login_attempt.split();
        context.bypass = lockout::bypasses_at_management(context.bypass, &attempt);
        let (settings, keys) = lockout::management_lockout(settings, &attempt);
        let request = ReserveRequest { tenant: attempt.tenant, keys, context, max_wait, now };
        self.reserve_counters(&Arc::new(settings), request).await
    }

    /// As `reserve`, for an attempt without a user name: see [`lockout::without_name`].
    pub async fn reserve_nameless(
        &self,
        settings: &Arc<LockoutSettings>,
        login_attempt: LoginAttempt,
        max_wait: Duration,
        now: Timestamp,
    ) -> Result<Reservation, ReserveError> {
        self.reserve_with(settings, login_attempt, max_wait, now, lockout::without_name).await
    }

    /// Reserves an attempt on the counters of its portal session and its network, in addition to those of its name: see
    /// [`lockout::of_portal_session`].
    pub async fn reserve_portal_session(
        &self,
        settings: &Arc<LockoutSettings>,
        login_attempt: LoginAttempt,
        session: NameHash,
        max_wait: Duration,
        now: Timestamp,
    ) -> Result<Reservation, ReserveError> {
        let keys = |settings: &LockoutSettings, attempt: &CountedAttempt| {
            lockout::of_portal_session(settings, attempt, session)
        };
        self.reserve_with(settings, login_attempt, max_wait, now, keys).await
    }

    async fn reserve_with(
        &self,
        settings: &Arc<LockoutSettings>,
        login_attempt: LoginAttempt,
        max_wait: Duration,
        now: Timestamp,
        keys: impl FnOnce(&LockoutSettings, &CountedAttempt) -> Vec<CounterKey>,
    ) -> Result<Reservation, ReserveError> {
        let (mut attempt, context) = login_attempt.split();
        attempt.address = context.counted_address(settings);
        let keys = keys(settings, &attempt);
        let request = ReserveRequest { tenant: attempt.tenant, keys, context, max_wait, now };
        self.reserve_counters(settings, request).await
    }

    async fn reserve_counters(
        &self,
        settings: &Arc<LockoutSettings>,
        request: ReserveRequest,
    ) -> Result<Reservation, ReserveError> {
        let ReserveRequest { tenant, keys, context, max_wait, now } = request;
        let bypass = context.bypass;
        let mut watch = self.pending.watch(&keys);
        let start = Instant::now();
        loop {
            let waited = start.elapsed();
            let now = now + waited;
            let reserving = self.store.counters().update(&keys, |counters| {
                let reserved = lockout::reserve(settings, counters, bypass, now)?;
                // registered inside the transaction: an attempt that reads the lock must find the pending attempts that cause it
                Ok((self.pending.register(reserved.keys()), reserved))
            });
            match reserving.await? {
                Ok((pending, reserved)) => {
                    return Ok(Reservation {
                        lockout: self.clone(),
                        tenant,
                        settings: Arc::clone(settings),
                        reserved,
                        pending: Some(pending),
                        context,
                    });
                }
                Err(refused) => {
                    let remaining = max_wait.saturating_sub(waited);
                    if !self.wait_for_release(&mut watch, &refused, remaining, now).await? {
                        if !context.is_guarded {
                            log_locked(context.log_subject.as_ref());
                        }
                        return Err(ReserveError::Refused(refused));
                    }
                }
            }
        }
    }

    /// Returns `true` if the reservation may be tried again, `false` if the lock stays.
    async fn wait_for_release(
        &self,
        watch: &mut OutcomeWatch,
        refused: &LockoutRefusal,
        remaining: Duration,
        now: Timestamp,
    ) -> Result<bool, ReserveError> {
        let outcome = watch.outcome(&refused.by);
        let changed = outcome.notified();
        let outlook = watch.outlook(&refused.by);
        let age = now.saturating_since(refused.since);
        let elsewhere = self.store.has_replicas() && age < RECENT_LOCK;
        match outlook {
            LockOutlook::Released => return Ok(true),
            LockOutlook::Final if !elsewhere => return Ok(false),
            LockOutlook::Final | LockOutlook::Undecided => {}
        }
        if remaining.is_zero() || !watch.may_wait() {
            return Err(ReserveError::Busy { retry_after: RETRY_AFTER });
        }
        if outlook == LockOutlook::Undecided {
            // after a timeout, the next call returns `Busy`
            let _ = timeout(remaining, changed).await;
        } else {
            sleep(RECHECK_INTERVAL.min(remaining)).await;
        }
        Ok(true)
    }
}

impl Reservation {
    /// The tenant of the attempted name.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The tenant and the account whose counters the reservation uses, for the audit log.
    pub fn guarded_name(&self) -> GuardedName {
        let account = self.reserved.keys().find_map(|key| match key {
            CounterKey::Account { account, .. } => Some(account.clone()),
            _ => None,
        });
        GuardedName { tenant: self.tenant.clone(), account }
    }

    /// Records that the password was correct.
    pub async fn record_success(mut self) -> Result<SuccessSummary, StoreError> {
        // dropping it wakes the attempts that wait for this outcome
        let _pending = self.pending.take().map(PendingReservation::into_refund);
        let keys: Vec<_> = self.reserved.keys().cloned().collect();
        let (settings, reserved) = (&self.settings, &self.reserved);
        let spelling = reserved.keys().find(|key| key.is_spelling());
        let counters = self.lockout.store.counters();
        let succeeding = counters.update(&keys, |counters| {
            let others = spelling.map_or(0, |key| self.lockout.pending.others(key));
            lockout::record_success(settings, reserved, counters, others)
        });
        let success = succeeding.await?;
        if let Some(CounterKey::KnownNetwork { tenant, subject, .. }) = reserved.new_network() {
            let limited = counters.limit_known_networks(tenant, subject, lockout::MAX_KNOWN_NETWORKS).await;
            if let Err(error) = limited {
                tracing::warn!(%error, "failed to limit the known networks of an account");
            }
        }
        Ok(success)
    }

    /// Records that the password was wrong.
    pub fn record_failure(self) {
        drop(self);
    }

    /// Releases the reservation of an attempt whose password was not verified.
    pub async fn release(mut self) -> Result<(), StoreError> {
        // dropping it wakes the attempts that wait for this outcome
        let _pending = self.pending.take().map(PendingReservation::into_refund);
        let keys: Vec<_> = self.reserved.keys().cloned().collect();
        let reserved = self.reserved.clone();
        let counters = self.lockout.store.counters();
        counters.update(&keys, move |counters| lockout::release(&reserved, counters)).await
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.pending.is_some() {
            let Context { log_subject: shown, address, .. } = &self.context;
            self.lockout.log.log_failure(&self.reserved, &self.tenant, shown.as_ref(), *address);
        }
    }
}
