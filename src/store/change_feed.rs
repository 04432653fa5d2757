//! The change feed: notified at once if the database supports it, otherwise polled twice a second.

use std::time::Duration;

use sqlx::postgres::PgListener;

use super::{Store, StoreChange, StoreError};

/// Poll interval, which also repairs lost notifications.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Follows the changes of a store, including those of this process.
pub struct ChangeFeed {
    store: Store,
    seen: u64,
    listener: Option<PgListener>,
    /// The last poll found nothing or failed: wait before the next.
    should_wait: bool,
    /// Whether listening was attempted since the last successful poll.
    is_listen_attempted: bool,
}

impl ChangeFeed {
    pub(super) fn new(store: Store, seen: u64) -> Self {
        Self { store, seen, listener: None, should_wait: false, is_listen_attempted: false }
    }

    /// Waits for the next changes: an empty list after the poll interval. After an error, changes are unknown: call
    /// again, the wait is built in. Dropping the future loses no change.
    pub async fn poll(&mut self) -> Result<Vec<StoreChange>, StoreError> {
        if self.should_wait {
            self.wait().await;
            self.should_wait = false;
        }
        if !self.is_listen_attempted {
            // listen before the poll, so that a change in between is not lost
            self.listener = self.listen().await;
            self.is_listen_attempted = true;
        }
        let polled = self.store.changes().since(self.seen).await;
        if polled.is_err() {
            self.should_wait = true;
            self.is_listen_attempted = self.listener.is_some();
        }
        let (seen, changes) = polled?;
        self.seen = seen;
        self.should_wait = changes.is_empty();
        Ok(changes)
    }

    /// Subscribes to notifications; without them, polling remains.
    async fn listen(&self) -> Option<PgListener> {
        match tokio::time::timeout(Duration::from_secs(5), self.store.database().listen()).await {
            Ok(Ok(listener)) => listener,
            Ok(Err(error)) => {
                tracing::warn!(%error, "failed to subscribe to change notifications; polling twice a second");
                None
            }
            Err(_) => None,
        }
    }

    async fn wait(&mut self) {
        let look = tokio::time::sleep(POLL_INTERVAL);
        let Some(listener) = &mut self.listener else { return look.await };
        tokio::pin!(look);
        tokio::select! {
            () = &mut look => {}
            heard = listener.recv() => {
                // the listener reconnects by itself; until then only polling works
                if heard.is_err() {
                    look.await;
                }
                // one poll covers all buffered notifications
                while listener.next_buffered().is_some() {}
            }
        }
    }
}
