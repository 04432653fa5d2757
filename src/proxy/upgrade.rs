//! WebSocket and other upgrades: after `101` the two sockets are joined, counted, and closed when the request would no longer
//! be allowed.

use std::{fmt, future::Future, io};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{access_watch::Ended, upstream::PortalStream, websocket::FrameStream};
use crate::sync::client_limits::Permit;

/// The portal's half of an upgraded connection, waiting for the client's half.
pub struct Tunnel {
    pub portal: PortalStream,
    /// What the portal sent right behind its `101`.
    pub early: Bytes,
    /// What the bytes are is known: a close frame can be sent between them.
    pub is_websocket: bool,
    /// When the request would no longer be allowed, the connection ends.
    pub ended: Ended,
    /// Counts the upgrade for its client.
    pub permit: Permit,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

impl Tunnel {
    /// Carries bytes both ways until one side ends, access does, or the server has `stopped`; then a WebSocket's client
    /// gets a close frame. `early` is what the client sent right behind its request.
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
        tokio::select! {
            carried = carry => carried.map(|_| ()),
            () = self.ended => Ok(()),
            () = stopped => if self.is_websocket { client.close().await } else { Ok(()) },
        }
    }
}
