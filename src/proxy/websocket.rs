//! Tracks the frames of a WebSocket (RFC 6455 §5.2) without reading their payload, so that a close frame can be
//! sent between two of them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// A close frame with status 1001, "going away" (RFC 6455 §7.4.1).
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];
const CLOSE: u8 = 8;

/// Position in the frame structure after the bytes written so far.
#[derive(Debug, Default)]
pub struct FrameTracker {
    position: FramePosition,
    /// A close frame has begun: no frame may follow it.
    is_closed: bool,
}

#[derive(Debug, Default)]
enum FramePosition {
    #[default]
    Boundary,
    Length,
    ExtendedLength {
        bytes_left: u8,
        length: u64,
        mask: u64,
    },
    Payload {
        bytes_left: u64,
    },
}

impl FrameTracker {
    pub fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.position = match self.position {
                FramePosition::Boundary => {
                    self.is_closed |= byte & 0x0f == CLOSE;
                    FramePosition::Length
                }
                FramePosition::Length => {
                    let mask = if byte & 0x80 == 0 { 0 } else { 4 };
                    match byte & 0x7f {
                        126 => FramePosition::ExtendedLength { bytes_left: 2, length: 0, mask },
                        127 => FramePosition::ExtendedLength { bytes_left: 8, length: 0, mask },
                        length => FramePosition::payload(u64::from(length) + mask),
                    }
                }
                FramePosition::ExtendedLength { bytes_left, length, mask } => {
                    let length = length << 8 | u64::from(byte);
                    match bytes_left {
                        1 => FramePosition::payload(length.saturating_add(mask)),
                        _ => FramePosition::ExtendedLength { bytes_left: bytes_left - 1, length, mask },
                    }
                }
                FramePosition::Payload { bytes_left } => {
                    let more = usize::try_from(bytes_left - 1).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(more..).unwrap_or_default();
                    FramePosition::payload(bytes_left - 1 - more as u64)
                }
            };
        }
    }

    /// Whether a close frame may be written now.
    pub fn may_close(&self) -> bool {
        matches!(self.position, FramePosition::Boundary) && !self.is_closed
    }
}

impl FramePosition {
    fn payload(bytes_left: u64) -> Self {
        if bytes_left == 0 { Self::Boundary } else { Self::Payload { bytes_left } }
    }
}

/// The client's half of a WebSocket.
pub struct FrameStream<'a, C> {
    client: &'a mut C,
    written: FrameTracker,
}

impl<'a, C: AsyncRead + AsyncWrite + Unpin> FrameStream<'a, C> {
    pub fn new(client: &'a mut C) -> Self {
        Self { client, written: FrameTracker::default() }
    }

    /// Sends a close frame (1001, going away), unless the client is in the middle of a frame.
    pub async fn close(&mut self) -> io::Result<()> {
        if self.written.may_close() {
            self.client.write_all(&GOING_AWAY).await?;
            self.client.flush().await?;
        }
        Ok(())
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for FrameStream<'_, C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.client).poll_read(cx, buf)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for FrameStream<'_, C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.client).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            self.written.advance(buf.get(..count).unwrap_or_default());
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.client).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.client).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(opcode: u8, masked: bool, length: usize) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        let mask = if masked { 0x80 } else { 0 };
        match u16::try_from(length) {
            Ok(length @ 0..126) => frame.push(mask + u8::try_from(length).unwrap()),
            Ok(length) => {
                frame.push(mask + 126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(mask + 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.resize(frame.len() + if masked { 4 } else { 0 } + length, 0x88);
        frame
    }

    #[test]
    fn allows_close_frame_only_between_frames() {
        let after = |bytes: &[u8]| {
            let mut frames = FrameTracker::default();
            frames.advance(bytes);
            frames.may_close()
        };
        assert!(after(&[]));
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            for masked in [false, true] {
                let text = frame(1, masked, length);
                assert!(after(&text), "{length} {masked}");
                for cut in (1..text.len()).filter(|cut| *cut < 20 || cut + 20 > text.len()) {
                    assert!(!after(&text[..cut]), "{length} {masked} {cut}");
                }
            }
        }
        assert!(!after(&GOING_AWAY), "the portal has closed it already");
        assert!(!after(&[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0]));
        assert!(!after(&[0x81, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0]));
    }

    proptest! {
        #[test]
        fn tracks_frames_however_bytes_are_split(
            lengths in proptest::collection::vec((0usize..70_000, any::<bool>()), 1..6),
            cut in 1usize..5000,
        ) {
            let mut frames = FrameTracker::default();
            for (length, masked) in lengths {
                for piece in frame(2, masked, length).chunks(cut) {
                    frames.advance(piece);
                }
                prop_assert!(frames.may_close());
            }
        }
    }
}
