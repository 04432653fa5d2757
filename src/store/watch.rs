//! Hearing of changes: at once where the database can wake us, within half a second everywhere.

use std::time::Duration;

use sqlx::postgres::PgListener;

use super::{Change, Store, StoreError};

/// How often it looks without being woken. It also heals whatever wake-up was lost.
const LOOK: Duration = Duration::from_millis(500);

/// Follows the changes of a store, its own among them.
pub struct Watch {
    store: Store,
    seen: u64,
    listener: Option<PgListener>,
    /// The last look found nothing, or failed: wait before the next.
    rest: bool,
    /// Whether it has tried to listen since the store was last seen to be well.
    listens: bool,
}

impl Watch {
    pub(super) fn new(store: Store, seen: u64) -> Self {
        Self { store, seen, listener: None, rest: false, listens: false }
    }

    /// The number of the last change that was told.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Waits for the next changes. An error says that nothing is known for now: call again, it rests by itself.
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        loop {
            let changes = self.look().await?;
            if !changes.is_empty() {
                return Ok(changes);
            }
        }
    }

    /// As `next`, but also answers, within a moment, that there are none.
    pub async fn look(&mut self) -> Result<Vec<Change>, StoreError> {
        if self.rest {
            self.rest().await;
            self.rest = false;
        }
        if !self.listens {
            // first the ear, then the look: what comes between the two is heard
            self.listener = self.listen().await;
            self.listens = true;
        }
        let looked = self.store.changes().since(self.seen).await;
        if looked.is_err() {
            self.rest = true;
            self.listens = self.listener.is_some();
        }
        let (seen, changes) = looked?;
        self.seen = seen;
        self.rest = changes.is_empty();
        Ok(changes)
    }

    /// Without an ear the looks remain.
    async fn listen(&self) -> Option<PgListener> {
        match tokio::time::timeout(Duration::from_secs(5), self.store.database().listen()).await {
            Ok(Ok(listener)) => listener,
            Ok(Err(error)) => {
                tracing::warn!(%error, "changes of other replicas are looked for twice a second, not listened for");
                None
            }
            Err(_) => None,
        }
    }

    async fn rest(&mut self) {
        let look = tokio::time::sleep(LOOK);
        let Some(listener) = &mut self.listener else { return look.await };
        tokio::pin!(look);
        tokio::select! {
            () = &mut look => {}
            heard = listener.recv() => {
                // it connects again by itself; until then looking has to do
                if heard.is_err() {
                    look.await;
                }
                // one look sees what they all told of
                while listener.next_buffered().is_some() {}
            }
        }
    }
}
