//! WebSocket and other upgrades: after `101` the two sockets are joined, counted, and closed when the identity ends.

use std::{
    fmt,
    future::{Future, pending},
    io,
    pin::Pin,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use super::{upstream::PortalStream, websocket::FrameStream};
use crate::sync::client_limits::Permit;

/// Resolves when a session has ended.
pub type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The portal's half of an upgraded connection, waiting for the client's half.
pub struct Tunnel {
    pub portal: PortalStream,
    /// What the portal sent right behind its `101`.
    pub early: Bytes,
    /// What the bytes are is known: a close frame can be sent between them.
    pub is_websocket: bool,
    /// When the proof of identity ends, the connection ends.
    pub until: Option<Instant>,
    /// When the session that proved it ends, so does the connection.
    pub ended: Option<Ended>,
    /// Counts the upgrade for its client.
    pub permit: Permit,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

impl Tunnel {
    /// Carries bytes both ways until one side ends, time is up, or the server has `stopped`, which a WebSocket's client is
    /// told. `early` is what the client sent right behind its request.
    pub async fn run<C>(
        mut self,
        client: &mut C,
        early: Bytes,
        stopped: impl Future<Output = ()>,
    ) -> io::Result<()>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let mut client = FrameStream::new(client);
        client.write_all(&self.early).await?;
        self.portal.write_all(&early).await?;
        let carry = tokio::io::copy_bidirectional(&mut client, &mut self.portal);
        let until = self.until.unwrap_or_else(|| Instant::now() + FOREVER);
        let ended = self.ended.unwrap_or_else(|| Box::pin(pending()));
        tokio::select! {
            carried = timeout_at(until, carry) => carried.map_or(Ok(()), |carried| carried.map(|_| ())),
            () = ended => Ok(()),
            () = stopped => if self.is_websocket { client.close().await } else { Ok(()) },
        }
    }
}

const FOREVER: Duration = Duration::from_hours(365 * 24);
