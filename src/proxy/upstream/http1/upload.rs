//! A request with a body. Both directions must move even while the client does not read, so this exchange has a task of its
//! own; the response body comes through a channel of one frame, which passes the client's back-pressure to the portal.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use http::StatusCode;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split},
    sync::{Notify, mpsc, oneshot},
};

use super::{
    WireError,
    reader::ResponseReader,
    request::{RequestFraming, chunk_size, last_chunk},
    response_head::{Framing, ResponseHead},
};
use crate::proxy::request_body::{RequestBody, UploadProgress};

/// The frames of a response body, and `None` after the last: a channel that ends without it is truncated.
pub type BodyFrames = mpsc::Receiver<Result<Option<Frame<Bytes>>, WireError>>;

/// An upload in progress, as its request sees it.
pub struct UploadExchange {
    pub head: oneshot::Receiver<Result<(ResponseHead, BodyFrames), WireError>>,
    pub progress: Option<Arc<UploadProgress>>,
}

/// Sends `body` after the head has been written. Calls `done` when the connection is no longer in use, with the connection
/// if it can be reused.
pub fn send<S>(
    reader: ResponseReader<S>,
    body: RequestBody,
    sent: RequestFraming,
    to_head: bool,
    done: impl FnOnce(Option<ResponseReader<S>>) + Send + 'static,
) -> UploadExchange
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (head_sender, answer) = oneshot::channel();
    let (progress, idle_timeout) = (body.progress(), body.idle_timeout());
    let seen = progress.clone();
    tokio::spawn(async move {
        let mut writer = None;
        let mut reader = reader.with_io(|io| {
            let (read, write) = split(io);
            writer = Some(write);
            read
        });
        let Some(mut writer) = writer else { return };
        let continue_received = body.continue_received();
        let both = exchange(
            send_body(&mut writer, body, sent),
            forward_response(&mut reader, continue_received, to_head, head_sender),
            seen.as_deref(),
            idle_timeout,
        );
        let is_reusable = both.await;
        let reader = reader.with_io(|read| read.unsplit(writer));
        done(Some(reader).filter(|_| is_reusable));
    });
    UploadExchange { head: answer, progress }
}

/// Whether both directions ended well enough for the connection to be reused.
async fn exchange(
    sending: impl Future<Output = Result<bool, Aborted>>,
    receiving: impl Future<Output = Result<bool, Aborted>>,
    progress: Option<&UploadProgress>,
    idle_timeout: Duration,
) -> bool {
    let (mut sending, mut receiving) = (pin!(sending), pin!(receiving));
    let mut sent = None;
    let reusable = loop {
        tokio::select! {
            end = &mut sending, if sent.is_none() => match end {
                Ok(whole) => sent = Some(whole),
                Err(Aborted) => return false,
            },
            end = &mut receiving => match end {
                Ok(reusable) => break reusable,
                Err(Aborted) => return false,
            },
        }
    };
    let begun = progress.is_some_and(|progress| progress.bytes() > 0);
    match sent {
        Some(whole) => whole && reusable,
        // the portal has answered and still reads: the rest of the body is sent
        None if reusable && begun => loop {
            let before = progress.map(UploadProgress::bytes);
            tokio::select! {
                end = &mut sending => break end == Ok(true),
                () = tokio::time::sleep(idle_timeout) => {}
            }
            if progress.map(UploadProgress::bytes) == before {
                break false;
            }
        },
        None => false,
    }
}

/// The client is gone or the connection is unusable: the exchange is aborted.
#[derive(Debug, PartialEq, Eq)]
struct Aborted;

/// Whether the portal accepted all of it.
async fn send_body(
    io: &mut (impl AsyncWrite + Unpin),
    mut body: RequestBody,
    sent: RequestFraming,
) -> Result<bool, Aborted> {
    let chunked = sent == RequestFraming::Chunked;
    let mut remaining = if let RequestFraming::Length(length) = sent { length } else { 0 };
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        // the client has disconnected or timed out
        let frame = frame.map_err(|_| Aborted)?;
        let written = match frame.into_data() {
            Ok(data) if data.is_empty() => continue,
            Ok(data) if chunked => {
                let size = Bytes::from(chunk_size(data.len()));
                io.write_all_buf(&mut size.chain(data).chain(&b"\r\n"[..])).await
            }
            Ok(mut data) => {
                // a byte more than announced would be the start of the next request
                remaining = remaining.checked_sub(data.len() as u64).ok_or(Aborted)?;
                io.write_all_buf(&mut data).await
            }
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        // a portal that stops reading may still send a response
        if written.is_err() || io.flush().await.is_err() {
            return Ok(false);
        }
    }
    if chunked {
        let end = last_chunk(trailers.as_ref());
        return Ok(io.write_all(&end).await.is_ok() && io.flush().await.is_ok());
    }
    Ok(remaining == 0)
}

/// Passes the response on. Whether the connection could be reused.
async fn forward_response(
    reader: &mut ResponseReader<impl AsyncRead + Unpin>,
    continue_received: Option<Arc<Notify>>,
    to_head: bool,
    mut head_sender: oneshot::Sender<Result<(ResponseHead, BodyFrames), WireError>>,
) -> Result<bool, Aborted> {
    let answer = loop {
        let answer = tokio::select! {
            biased;
            () = head_sender.closed() => return Err(Aborted),
            answer = reader.read_head(to_head) => answer,
        };
        match answer {
            Ok(answer) if answer.status == StatusCode::CONTINUE => {
                if let Some(continue_received) = &continue_received {
                    continue_received.notify_one();
                }
            }
            Ok(answer) if answer.is_interim() => {}
            Ok(answer) => break answer,
            Err(error) => {
                let _ = head_sender.send(Err(error));
                return Err(Aborted);
            }
        }
    };
    let (mut framing, keep_alive) = (answer.framing, answer.keep_alive);
    let (frame_sender, frames) = mpsc::channel(1);
    head_sender.send(Ok((answer, frames))).map_err(|_| Aborted)?;
    while framing != Framing::Empty {
        // before the frame is read: a client that reads nothing holds one frame, not two
        let permit = frame_sender.reserve().await.map_err(|_| Aborted)?;
        let frame = tokio::select! {
            biased;
            () = frame_sender.closed() => return Err(Aborted),
            frame = reader.read_frame(&mut framing) => frame,
        };
        let (broken, ended) = (matches!(frame, Some(Err(_))), frame.is_none());
        permit.send(frame.transpose());
        if broken {
            return Err(Aborted);
        }
        if ended {
            break;
        }
    }
    Ok(keep_alive && reader.is_empty())
}
