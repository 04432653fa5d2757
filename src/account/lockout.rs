//! The lockout engine on the store's counters: reserve, then verify. All doors use this one.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::hmac;

use super::notices::{Notices, Shown};
use crate::{
    domain::{
        account::{LoginName, alike, names},
        lockout::{
            self, Attempt, CounterKey, DeviceId, LockoutSettings, NameHash, Refused, Reserved, Success, Who,
        },
        tenant::TenantId,
    },
    store::{Store, StoreError},
};

#[derive(Clone)]
pub struct Lockout {
    store: Store,
    /// Names are counted by their keyed hash: without the key nobody can tell which share a counter.
    key: Arc<hmac::Key>,
    notices: Notices,
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
    pub address: Option<IpAddr>,
    /// Out of a device cookie that was verified for this name.
    pub device: Option<DeviceId>,
}

impl Guess {
    /// What decides the counters, and what else is known.
    fn split(self) -> (Attempt, (Option<Shown>, bool)) {
        let Self { tenant, who, alike, spelling, shown, bypass, address, device } = self;
        (Attempt { tenant, who, alike, spelling, address, device }, (shown, bypass))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum NotReserved {
    #[error("locked out")]
    Refused(Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An attempt that is counted as failed until it is said to have succeeded. Dropped, it has failed.
pub struct Reservation {
    lockout: Lockout,
    tenant: TenantId,
    settings: Arc<LockoutSettings>,
    reserved: Reserved,
    shown: Option<Shown>,
    settled: bool,
}

impl Lockout {
    pub fn new(store: Store, secret: &[u8; 32], notices: Notices) -> Self {
        Self { store, key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)), notices }
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

    /// Counts the attempt as failed, before anybody has looked at the password; the last one allowed locks at once.
    pub async fn reserve(
        &self,
        settings: &Arc<LockoutSettings>,
        guess: Guess,
        now: u64,
    ) -> Result<Reservation, NotReserved> {
        let (attempt, rest) = guess.split();
        let keys = lockout::keys(settings, &attempt);
        self.reserve_counters(settings, (attempt.tenant, keys), rest, now).await
    }

    /// As `reserve`, at the management API: see [`lockout::at_management`].
    pub async fn reserve_at_management(
        &self,
        settings: &LockoutSettings,
        guess: Guess,
        now: u64,
    ) -> Result<Reservation, NotReserved> {
        let (attempt, rest) = guess.split();
        let (settings, keys) = lockout::at_management(settings, &attempt);
        self.reserve_counters(&Arc::new(settings), (attempt.tenant, keys), rest, now).await
    }

    async fn reserve_counters(
        &self,
        settings: &Arc<LockoutSettings>,
        (whose, keys): (TenantId, Vec<CounterKey>),
        (shown, bypass): (Option<Shown>, bool),
        now: u64,
    ) -> Result<Reservation, NotReserved> {
        let rules = Arc::clone(settings);
        let reserved = self
            .store
            .counters()
            .update(&keys, move |counters| lockout::reserve(&rules, counters, bypass, now))
            .await?;
        match reserved {
            Ok(reserved) => Ok(Reservation {
                lockout: self.clone(),
                tenant: whose,
                settings: Arc::clone(settings),
                reserved,
                shown,
                settled: false,
            }),
            Err(refused) => {
                self.notices.refused(shown.as_ref());
                Err(NotReserved::Refused(refused))
            }
        }
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

    /// The password was right.
    pub async fn succeeded(mut self) -> Result<Success, StoreError> {
        self.settled = true;
        let keys: Vec<_> = self.reserved.keys().cloned().collect();
        let (settings, reserved) = (Arc::clone(&self.settings), self.reserved.clone());
        let counters = self.lockout.store.counters();
        counters.update(&keys, move |counters| lockout::succeed(&settings, &reserved, counters)).await
    }

    /// The password was wrong.
    pub fn failed(self) {
        drop(self);
    }

    /// The password was never looked at: exactly this attempt is taken back.
    pub async fn cancel(mut self) -> Result<(), StoreError> {
        self.settled = true;
        let keys: Vec<_> = self.reserved.keys().cloned().collect();
        let reserved = self.reserved.clone();
        let counters = self.lockout.store.counters();
        counters.update(&keys, move |counters| lockout::cancel(&reserved, counters)).await
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.settled {
            self.lockout.notices.failed(&self.reserved, self.shown.as_ref());
        }
    }
}
