//! Long-lived connections (WebSockets) that depend on a session, and are notified when it ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::{account::AccountId, session::SessionHash, time::Timestamp};

type ConnectionsBySession = HashMap<SessionHash, SessionEntry>;

/// The open connections of one session.
struct SessionEntry {
    account: AccountId,
    notify: Arc<Notify>,
    connections: usize,
}

#[derive(Clone, Default)]
pub(super) struct OpenConnections(Arc<Mutex<ConnectionsBySession>>);

/// An open connection; unregistered on drop.
pub struct SessionConnection {
    connections: OpenConnections,
    hash: SessionHash,
    expires_at: Timestamp,
    notify: Arc<Notify>,
}

impl OpenConnections {
    fn connections(&self) -> std::sync::MutexGuard<'_, ConnectionsBySession> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(&self, hash: SessionHash, account: &AccountId, expires_at: Timestamp) -> SessionConnection {
        let mut entries = self.connections();
        let entry = entries.entry(hash).or_insert_with(|| SessionEntry {
            account: account.clone(),
            notify: Arc::default(),
            connections: 0,
        });
        entry.connections += 1;
        let notify = Arc::clone(&entry.notify);
        SessionConnection { connections: self.clone(), hash, expires_at, notify }
    }

    /// Wakes the connections of this session.
    pub fn wake(&self, hash: &SessionHash) {
        if let Some(entry) = self.connections().get(hash) {
            entry.notify.notify_waiters();
        }
    }

    pub fn wake_account(&self, account: &AccountId) {
        for entry in self.connections().values().filter(|entry| entry.account == *account) {
            entry.notify.notify_waiters();
        }
    }

    pub fn wake_all(&self) {
        for entry in self.connections().values() {
            entry.notify.notify_waiters();
        }
    }
}

impl SessionConnection {
    /// Completes if the session may have changed since the last call.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }

    /// The absolute expiry of the session.
    pub(super) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub(super) fn hash(&self) -> &SessionHash {
        &self.hash
    }
}

impl Drop for SessionConnection {
    fn drop(&mut self) {
        let mut entries = self.connections.connections();
        if let Some(entry) = entries.get_mut(&self.hash) {
            entry.connections -= 1;
            if entry.connections == 0 {
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
    fn wakes_only_matching_connections_and_removes_entries() {
        let connections = OpenConnections::default();
        let (one, other) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        let (first, second, third) = (
            connections.open(SessionHash::new([1; 32]), &one, Timestamp::EPOCH),
            connections.open(SessionHash::new([2; 32]), &one, Timestamp::EPOCH),
            connections.open(SessionHash::new([3; 32]), &other, Timestamp::EPOCH),
        );
        let wakes = |act: &dyn Fn()| {
            let mut waiting = [&first, &second, &third].map(|open| Box::pin(open.changed()));
            for notified in &mut waiting {
                notified.as_mut().enable();
            }
            act();
            waiting.map(|notified| notified.now_or_never().is_some())
        };
        assert_eq!(wakes(&|| connections.wake(&SessionHash::new([2; 32]))), [false, true, false]);
        assert_eq!(wakes(&|| connections.wake_account(&one)), [true, true, false]);
        assert_eq!(wakes(&|| connections.wake_all()), [true, true, true]);
        drop((first, second, third));
        assert!(connections.connections().is_empty());
    }
}
