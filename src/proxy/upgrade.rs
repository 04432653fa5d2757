//! WebSocket and other upgrades: after `101` the two sockets are joined, counted, and closed when the request would no longer
//! be allowed.

use std::{fmt, future::Future, io, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{access_watch::AccessEndFuture, upstream::PortalStream, websocket::FrameStream};
use crate::sync::client_limits::Permit;

/// How long a client may take to accept the close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The portal's half of an upgraded connection, waiting for the client's half.
pub struct Tunnel {
    pub portal: PortalStream,
    /// Bytes the portal sent directly after its `101`.
    pub early: Bytes,
    /// The protocol is known: a close frame can be sent between its frames.
    pub is_websocket: bool,
    /// Resolves when the request would no longer be allowed.
    pub access_ended: AccessEndFuture,
    /// Counts the upgrade for its client.
    pub permit: Permit,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

impl Tunnel {
    /// Copies bytes in both directions until one side closes, access ends, or the server has `stopped`; then a WebSocket's client
    /// gets a close frame. `early` holds the bytes that the client sent directly after its request.
    pub async fn run<C>(
        self,
        client: &mut C,
        early: Bytes,
        stopped: impl Future<Output = ()>,
    ) -> io::Result<()>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { mut portal, early: first, is_websocket, access_ended, permit: _permit } = self;
        let mut client = FrameStream::new(client);
        let carry = async {
            client.write_all(&first).await?;
            portal.write_all(&early).await?;
            tokio::io::copy_bidirectional(&mut client, &mut portal).await.map(|_| ())
        };
        tokio::select! {
            carried = carry => carried,
            () = access_ended => Ok(()),
            () = stopped => if is_websocket {
                timeout(CLOSE_TIMEOUT, client.close()).await.unwrap_or(Ok(()))
            } else {
                Ok(())
            },
        }
    }
}
