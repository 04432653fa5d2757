//! The lockout engine on the store's counters: reserve, then verify. All doors use this one.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use tokio::time::{sleep, timeout};

use super::{
    GuardedName,
    notices::{Notices, Shown},
    pending::{Outlook, Pending, Underway, Watch},
};
use crate::{
    domain::{
        account::{LoginName, alike, names},
        client::ClientAddress,
        lockout::{
            self, Attempt, CounterKey, DeviceId, LockoutSettings, NameHash, Refused, Reserved, Success, Who,
        },
        tenant::TenantId,
    },
    store::{Store, StoreError},
};

/// How often a lock that another replica may still remove is read again, ...
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// ... while it is younger than this: longer than a verification takes.
const YOUNG: Duration = Duration::from_secs(2);
/// For `Retry-After`.
const COME_AGAIN: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Lockout {
    store: Store,
    /// Names are counted by their keyed hash: without the key nobody can tell which share a counter.
    key: Arc<hmac::Key>,
    notices: Notices,
    pending: Pending,
}

/// Who is trying, and from where.
#[derive(Debug, Clone)]
pub struct Guess {
    pub tenant: TenantId,
    pub who: Who,
    /// At the portal's door: see [`Lockout::alike`].
    pub alike: Option<NameHash>,
    /// At the portal's sign-in: the client and what it typed.
    pub spelling: Option<NameHash>,
    /// For the log; `None` for a name nobody has.
    pub shown: Option<Shown>,
    /// The account has the role that is never locked.
    pub bypass: bool,
    pub address: Option<ClientAddress>,
    /// Out of a device cookie that was verified for this name.
    pub device: Option<DeviceId>,
}

impl Guess {
    /// What decides the counters, and what else is known.
    fn split(self) -> (Attempt, Context) {
        let Self { tenant, who, alike, spelling, shown, bypass, address, device } = self;
        let is_guarded = spelling.is_some() || matches!(who, Who::Portal(_));
        let ip = address.map(|address| address.ip);
        let attempt = Attempt { tenant, who, alike, spelling, address: ip, device };
        (attempt, Context { shown, bypass, address, is_guarded })
    }
}

/// What is known of an attempt in addition to its counters.
struct Context {
    shown: Option<Shown>,
    bypass: bool,
    address: Option<ClientAddress>,
    /// At the portal's sign-in, where the caller reports refusals: see [`Notices::refused_at_portal`].
    is_guarded: bool,
}

impl Context {
    fn counted_address(&self, settings: &LockoutSettings) -> Option<IpAddr> {
        let address = self.address.filter(|address| settings.counts_address(*address, self.bypass));
        address.map(|address| address.ip)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum NotReserved {
    #[error("locked out")]
    Refused(Refused),
    /// Whether it is locked depends on attempts under way, and they take too long or too many wait for them.
    #[error("too many attempts at once")]
    Busy { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An attempt that is counted as failed until it is said to have succeeded. Dropped, it has failed.
pub struct Reservation {
    lockout: Lockout,
    tenant: TenantId,
    settings: Arc<LockoutSettings>,
    reserved: Reserved,
    underway: Option<Underway>,
    context: Context,
    settled: bool,
}

impl Lockout {
    pub fn new(store: Store, secret: &[u8; 32], notices: Notices) -> Self {
        let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Self { store, key, notices, pending: Pending::default() }
    }

    pub(super) const fn notices(&self) -> &Notices {
        &self.notices
    }

    /// A name nobody has here.
    pub fn unknown(&self, name: &LoginName) -> Who {
        Who::unknown(&self.keyed(&["unknown", &names::key(&name.user_store, &name.canonical)]))
    }

    /// What cannot be a name.
    pub(super) fn no_name(&self, written: &str) -> Who {
        Who::unknown(&self.keyed(&["no name", written]))
    }

    /// A name only the portal behind us knows.
    pub fn portal_name(&self, tenant: &TenantId, name: &str) -> NameHash {
        NameHash::of(&self.keyed(&["portal", tenant.as_str(), name]))
    }

    /// All names that a portal may take for this one.
    pub(super) fn alike(&self, tenant: &TenantId, name: &str) -> NameHash {
        let name = names::canonical(name).unwrap_or_else(|_| name.to_owned());
        NameHash::of(&self.keyed(&["alike", tenant.as_str(), &alike::skeleton(&name)]))
    }

    pub(super) fn keyed(&self, parts: &[&str]) -> [u8; 32] {
        let tag = hmac::sign(&self.key, parts.join("\0").as_bytes());
        let mut hash = [0; 32];
        hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    /// Counts the attempt as failed before the password is verified; the last one allowed locks at once. Where it meets such
    /// a lock it waits, at most for `patience`, for the outcome of the attempts that have set it.
    pub async fn reserve(
        &self,
        settings: &Arc<LockoutSettings>,
        guess: Guess,
        patience: Duration,
        now: u64,
    ) -> Result<Reservation, NotReserved> {
        let (mut attempt, context) = guess.split();
        attempt.address = context.counted_address(settings);
        let keys = lockout::keys(settings, &attempt);
        self.reserve_counters(settings, (attempt.tenant, keys), context, (patience, now)).await
    }

    /// As `reserve`, at the management API: see [`lockout::at_management`].
    pub async fn reserve_at_management(
        &self,
        settings: &LockoutSettings,
        guess: Guess,
        patience: Duration,
        now: u64,
    ) -> Result<Reservation, NotReserved> {
        let (attempt, mut context) = guess.split();
        context.bypass = lockout::bypasses_at_management(context.bypass, &attempt);
        let (settings, keys) = lockout::at_management(settings, &attempt);
        self.reserve_counters(&Arc::new(settings), (attempt.tenant, keys), context, (patience, now)).await
    }

    /// As `reserve`, for an attempt without a user name: see [`lockout::without_name`].
    pub async fn reserve_nameless(
        &self,
        settings: &Arc<LockoutSettings>,
        guess: Guess,
        patience: Duration,
        now: u64,
    ) -> Result<Reservation, NotReserved> {
        let (mut attempt, context) = guess.split();
        attempt.address = context.counted_address(settings);
        let keys = lockout::without_name(settings, &attempt);
        self.reserve_counters(settings, (attempt.tenant, keys), context, (patience, now)).await
    }

    /// Reserves an attempt on the counters of its portal session and its network, in addition to those of its name: see
    /// [`lockout::of_portal_session`].
    pub async fn reserve_portal_session(
        &self,
        settings: &Arc<LockoutSettings>,
        (guess, session): (Guess, NameHash),
        patience: Duration,
        now: u64,
    ) -> Result<Reservation, NotReserved> {
        let (mut attempt, context) = guess.split();
        attempt.address = context.counted_address(settings);
        let keys = lockout::of_portal_session(settings, &attempt, session);
        self.reserve_counters(settings, (attempt.tenant, keys), context, (patience, now)).await
    }

    async fn reserve_counters(
        &self,
        settings: &Arc<LockoutSettings>,
        (whose, keys): (TenantId, Vec<CounterKey>),
        context: Context,
        (patience, now): (Duration, u64),
    ) -> Result<Reservation, NotReserved> {
        let bypass = context.bypass;
        let mut watch = self.pending.watch(&keys);
        let start = Instant::now();
        loop {
            let waited = start.elapsed();
            let now = now.saturating_add(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
            let reserving = self.store.counters().update(&keys, |counters| {
                let reserved = lockout::reserve(settings, counters, bypass, now)?;
                // before the counters are seen by others, so that they find what the lock depends on
                Ok((self.pending.register(reserved.keys()), reserved))
            });
            match reserving.await? {
                Ok((underway, reserved)) => {
                    return Ok(Reservation {
                        lockout: self.clone(),
                        tenant: whose,
                        settings: Arc::clone(settings),
                        reserved,
                        underway: Some(underway),
                        context,
                        settled: false,
                    });
                }
                Err(refused) => {
                    if !self
                        .may_be_taken_back(&mut watch, &refused, patience.saturating_sub(waited), now)
                        .await?
                    {
                        if !context.is_guarded {
                            self.notices.refused(context.shown.as_ref());
                        }
                        return Err(NotReserved::Refused(refused));
                    }
                }
            }
        }
    }

    /// Returns `true` if the attempt may be repeated, `false` if the lock stays.
    async fn may_be_taken_back(
        &self,
        watch: &mut Watch,
        refused: &Refused,
        left: Duration,
        now: u64,
    ) -> Result<bool, NotReserved> {
        let outcome = watch.outcome(&refused.by);
        let changed = outcome.notified();
        let outlook = watch.outlook(&refused.by);
        let age = Duration::from_millis(now.saturating_sub(refused.since));
        let elsewhere = self.store.has_replicas() && age < YOUNG;
        match outlook {
            Outlook::TakenBack => return Ok(true),
            Outlook::Final if !elsewhere => return Ok(false),
            Outlook::Final | Outlook::Open => {}
        }
        if left.is_zero() || !watch.may_wait() {
            return Err(NotReserved::Busy { retry_after: COME_AGAIN });
        }
        if outlook == Outlook::Open {
            // when the time is up, the next iteration returns `Busy`
            let _ = timeout(left, changed).await;
        } else {
            sleep(LOOK_AGAIN.min(left)).await;
        }
        Ok(true)
    }
}

impl Reservation {
    pub fn reserved(&self) -> &Reserved {
        &self.reserved
    }

    /// Whose name it is that was tried.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The account whose counters it uses, for the audit log.
    pub fn guarded_name(&self) -> GuardedName {
        let account = self.reserved.keys().find_map(|key| match key {
            CounterKey::Account { account, .. } => Some(account.clone()),
            _ => None,
        });
        GuardedName { tenant: self.tenant.clone(), account }
    }

    /// The password was right.
    pub async fn succeeded(mut self) -> Result<Success, StoreError> {
        self.settled = true;
        // attempts that wait for the outcome try again when this is dropped
        let _underway = self.underway.take().map(Underway::refunding);
        let keys: Vec<_> = self.reserved.keys().cloned().collect();
        let (settings, reserved) = (&self.settings, &self.reserved);
        let spelling = reserved.keys().find(|key| key.is_spelling());
        let counters = self.lockout.store.counters();
        let succeeding = counters.update(&keys, |counters| {
            let others = spelling.map_or(0, |key| self.lockout.pending.others(key));
            lockout::succeed_among(settings, reserved, counters, others)
        });
        let success = succeeding.await?;
        if let Some(CounterKey::KnownNetwork { tenant, who, .. }) = reserved.new_network() {
            let limited = counters.limit_known_networks(tenant, who, lockout::MAX_KNOWN_NETWORKS).await;
            if let Err(error) = limited {
                tracing::warn!(%error, "failed to limit the known networks of an account");
            }
        }
        Ok(success)
    }

    /// The password was wrong.
    pub fn failed(self) {
        drop(self);
    }

    /// The password was never looked at: exactly this attempt is taken back.
    pub async fn cancel(mut self) -> Result<(), StoreError> {
        self.settled = true;
        // attempts that wait for the outcome try again when this is dropped
        let _underway = self.underway.take().map(Underway::refunding);
        let keys: Vec<_> = self.reserved.keys().cloned().collect();
        let reserved = self.reserved.clone();
        let counters = self.lockout.store.counters();
        counters.update(&keys, move |counters| lockout::cancel(&reserved, counters)).await
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.settled {
            let Context { shown, address, .. } = &self.context;
            self.lockout.notices.failed(&self.reserved, &self.tenant, shown.as_ref(), *address);
        }
    }
}
