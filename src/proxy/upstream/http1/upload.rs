//! A request with a body. Both directions must move even while the client does not read, so this exchange has a task of its
//! own; the answer's body comes through a channel of one frame, which holds the portal back as the client would.

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
    answer::{Answer, Framing},
    reader::Reader,
    request::{Sent, chunk_size, last_chunk},
};
use crate::proxy::request_body::{RequestBody, UploadProgress};

/// The pieces of an answer's body, and `None` behind the last: a channel that ends without it has lost the rest.
pub type Frames = mpsc::Receiver<Result<Option<Frame<Bytes>>, WireError>>;

/// An upload under way, as its request sees it.
pub struct Upload {
    pub answer: oneshot::Receiver<Result<(Answer, Frames), WireError>>,
    pub progress: Option<Arc<UploadProgress>>,
}

/// Sends `body` after the head has been written. Calls `done` when the connection is no longer in use, with the connection
/// if it can be reused.
pub fn send<S>(
    reader: Reader<S>,
    body: RequestBody,
    sent: Sent,
    to_head: bool,
    done: impl FnOnce(Option<Reader<S>>) + Send + 'static,
) -> Upload
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tell, answer) = oneshot::channel();
    let (progress, patience) = (body.progress(), body.idle_timeout());
    let seen = progress.clone();
    tokio::spawn(async move {
        let mut writer = None;
        let mut reader = reader.with_io(|io| {
            let (read, write) = split(io);
            writer = Some(write);
            read
        });
        let Some(mut writer) = writer else { return };
        let wanted = body.wanted();
        let both = exchange(
            send_body(&mut writer, body, sent),
            pass_answer(&mut reader, wanted, to_head, tell),
            seen.as_deref(),
            patience,
        );
        let is_reusable = both.await;
        let reader = reader.with_io(|read| read.unsplit(writer));
        done(Some(reader).filter(|_| is_reusable));
    });
    Upload { answer, progress }
}

/// Whether both ended well enough for the connection to be used again.
async fn exchange(
    sending: impl Future<Output = Result<bool, Gone>>,
    answering: impl Future<Output = Result<bool, Gone>>,
    progress: Option<&UploadProgress>,
    patience: Duration,
) -> bool {
    let (mut sending, mut answering) = (pin!(sending), pin!(answering));
    let mut sent = None;
    let reusable = loop {
        tokio::select! {
            end = &mut sending, if sent.is_none() => match end {
                Ok(whole) => sent = Some(whole),
                Err(Gone) => return false,
            },
            end = &mut answering => match end {
                Ok(reusable) => break reusable,
                Err(Gone) => return false,
            },
        }
    };
    let begun = progress.is_some_and(|progress| progress.bytes() > 0);
    match sent {
        Some(whole) => whole && reusable,
        // the portal has answered and still reads: what is on its way arrives
        None if reusable && begun => loop {
            let before = progress.map(UploadProgress::bytes);
            tokio::select! {
                end = &mut sending => break end == Ok(true),
                () = tokio::time::sleep(patience) => {}
            }
            if progress.map(UploadProgress::bytes) == before {
                break false;
            }
        },
        None => false,
    }
}

/// Nobody is there any more for whom to go on.
#[derive(Debug, PartialEq, Eq)]
struct Gone;

/// Whether the portal took all of it.
async fn send_body(
    io: &mut (impl AsyncWrite + Unpin),
    mut body: RequestBody,
    sent: Sent,
) -> Result<bool, Gone> {
    let chunked = sent == Sent::Chunked;
    let mut owed = if let Sent::Length(length) = sent { length } else { 0 };
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        // the client has gone, or fallen silent
        let frame = frame.map_err(|_| Gone)?;
        let written = match frame.into_data() {
            Ok(data) if data.is_empty() => continue,
            Ok(data) if chunked => {
                let size = Bytes::from(chunk_size(data.len()));
                io.write_all_buf(&mut size.chain(data).chain(&b"\r\n"[..])).await
            }
            Ok(mut data) => {
                // a byte more than announced would be the start of the next request
                owed = owed.checked_sub(data.len() as u64).ok_or(Gone)?;
                io.write_all_buf(&mut data).await
            }
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        // a portal that reads no more has something to say
        if written.is_err() || io.flush().await.is_err() {
            return Ok(false);
        }
    }
    if chunked {
        let end = last_chunk(trailers.as_ref());
        return Ok(io.write_all(&end).await.is_ok() && io.flush().await.is_ok());
    }
    Ok(owed == 0)
}

/// Hands the answer on. Whether the connection could be used again.
async fn pass_answer(
    reader: &mut Reader<impl AsyncRead + Unpin>,
    wanted: Option<Arc<Notify>>,
    to_head: bool,
    mut tell: oneshot::Sender<Result<(Answer, Frames), WireError>>,
) -> Result<bool, Gone> {
    let answer = loop {
        let answer = tokio::select! {
            biased;
            () = tell.closed() => return Err(Gone),
            answer = reader.answer(to_head) => answer,
        };
        match answer {
            Ok(answer) if answer.status == StatusCode::CONTINUE => {
                if let Some(wanted) = &wanted {
                    wanted.notify_one();
                }
            }
            Ok(answer) if answer.is_interim() => {}
            Ok(answer) => break answer,
            Err(error) => {
                let _ = tell.send(Err(error));
                return Err(Gone);
            }
        }
    };
    let (mut framing, keep_alive) = (answer.framing, answer.keep_alive);
    let (give, frames) = mpsc::channel(1);
    tell.send(Ok((answer, frames))).map_err(|_| Gone)?;
    while framing != Framing::Empty {
        // before the frame is read: a client that takes nothing holds one, not two
        let place = give.reserve().await.map_err(|_| Gone)?;
        let frame = tokio::select! {
            biased;
            () = give.closed() => return Err(Gone),
            frame = reader.frame(&mut framing) => frame,
        };
        let (broken, ended) = (matches!(frame, Some(Err(_))), frame.is_none());
        place.send(frame.transpose());
        if broken {
            return Err(Gone);
        }
        if ended {
            break;
        }
    }
    Ok(keep_alive && reader.is_empty())
}
