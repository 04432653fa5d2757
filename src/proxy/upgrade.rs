//! WebSocket and other upgrades: after `101` the two sockets are joined, counted, and closed when the identity ends.

use std::{
    fmt,
    future::{Future, pending},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use super::upstream::PortalStream;

/// Resolves when a session has ended.
pub type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The portal's half of an upgraded connection, waiting for the client's half.
pub struct Tunnel {
    pub portal: PortalStream,
    /// What the portal sent right behind its `101`.
    pub early: Bytes,
    /// When the proof of identity ends, the connection ends.
    pub until: Option<Instant>,
    /// When the session that proved it ends, so does the connection.
    pub ended: Option<Ended>,
    pub slot: UpgradeSlot,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

impl Tunnel {
    /// Carries bytes both ways until one side ends, or time is up. `early` is what the client sent right behind its request.
    pub async fn run<C>(mut self, mut client: C, early: Bytes) -> io::Result<()>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        client.write_all(&self.early).await?;
        self.portal.write_all(&early).await?;
        let carry = tokio::io::copy_bidirectional(&mut client, &mut self.portal);
        let until = self.until.unwrap_or_else(|| Instant::now() + FOREVER);
        let ended = self.ended.unwrap_or_else(|| Box::pin(pending()));
        tokio::select! {
            carried = timeout_at(until, carry) => carried.map_or(Ok(()), |carried| carried.map(|_| ())),
            () = ended => Ok(()),
        }
    }
}

const FOREVER: Duration = Duration::from_hours(365 * 24);

/// Counts open upgrades, up to a limit.
#[derive(Debug, Clone, Default)]
pub struct Upgrades {
    open: Arc<AtomicUsize>,
}

/// One open upgrade; dropping it frees the place.
#[derive(Debug)]
pub struct UpgradeSlot {
    open: Arc<AtomicUsize>,
}

impl Upgrades {
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// `None` when `limit` upgrades are open already.
    pub fn enter(&self, limit: usize) -> Option<UpgradeSlot> {
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < limit).then_some(open + 1))
            .ok()
            .map(|_| UpgradeSlot { open: Arc::clone(&self.open) })
    }
}

impl Drop for UpgradeSlot {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}
