//! Connections that stay open on the strength of a session: they hear when it ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::{account::AccountId, session::SessionHash};

type Entries = HashMap<SessionHash, (AccountId, Arc<Notify>, usize)>;

#[derive(Clone, Default)]
pub(super) struct Openings(Arc<Mutex<Entries>>);

/// One connection that is open. Dropping it is closing it.
pub struct Open {
    openings: Openings,
    hash: SessionHash,
    expires_at: u64,
    notify: Arc<Notify>,
}

impl Openings {
    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(&self, hash: SessionHash, account: &AccountId, expires_at: u64) -> Open {
        let mut entries = self.entries();
        let (_, notify, count) = entries.entry(hash).or_insert_with(|| (account.clone(), Arc::default(), 0));
        *count += 1;
        Open { openings: self.clone(), hash, expires_at, notify: Arc::clone(notify) }
    }

    /// Something about this session may have changed.
    pub fn wake(&self, hash: &SessionHash) {
        if let Some((_, notify, _)) = self.entries().get(hash) {
            notify.notify_waiters();
        }
    }

    pub fn wake_account(&self, account: &AccountId) {
        for (owner, notify, _) in self.entries().values() {
            if owner == account {
                notify.notify_waiters();
            }
        }
    }

    pub fn wake_all(&self) {
        for (_, notify, _) in self.entries().values() {
            notify.notify_waiters();
        }
    }
}

impl Open {
    /// Something about the session may have changed since the last call.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }

    /// Its session ends then, whatever happens.
    pub(super) fn expires_at(&self) -> u64 {
        self.expires_at
    }

    pub(super) fn hash(&self) -> &SessionHash {
        &self.hash
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut entries = self.openings.entries();
        if let Some((_, _, count)) = entries.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                entries.remove(&self.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn those_who_are_meant_wake_and_nothing_is_left_behind() {
        let openings = Openings::default();
        let (one, other) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        let (first, second, third) = (
            openings.open(SessionHash::new([1; 32]), &one, 0),
            openings.open(SessionHash::new([2; 32]), &one, 0),
            openings.open(SessionHash::new([3; 32]), &other, 0),
        );
        let wakes = |act: &dyn Fn()| {
            let mut waiting = [&first, &second, &third].map(|open| Box::pin(open.changed()));
            for notified in &mut waiting {
                notified.as_mut().enable();
            }
            act();
            waiting.map(|notified| notified.now_or_never().is_some())
        };
        assert_eq!(wakes(&|| openings.wake(&SessionHash::new([2; 32]))), [false, true, false]);
        assert_eq!(wakes(&|| openings.wake_account(&one)), [true, true, false]);
        assert_eq!(wakes(&|| openings.wake_all()), [true, true, true]);
        drop((first, second, third));
        assert!(openings.entries().is_empty());
    }
}
