//! Responses of portals: complete, in pieces and malformed.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderMap, Request};
use proptest::prelude::*;
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    chunked::{MAX_SIZE_LINE, MAX_TRAILERS},
    reader::MAX_INTERIM,
    response_head::MAX_HEAD,
    *,
};

/// A portal that sends these pieces, one a read, and then closes or sends nothing.
struct ScriptedPortal {
    pieces: std::vec::IntoIter<Vec<u8>>,
    then_closes: bool,
}

impl AsyncRead for ScriptedPortal {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.pieces.next() {
            Some(piece) => buf.put_slice(piece.get(..buf.remaining()).unwrap_or(&piece)),
            None if self.then_closes => {}
            None => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }
}

fn reader(text: impl AsRef<[u8]>) -> ResponseReader<ScriptedPortal> {
    pieces(text.as_ref().chunks(1 << 12).map(<[u8]>::to_vec).collect())
}

fn pieces(pieces: Vec<Vec<u8>>) -> ResponseReader<ScriptedPortal> {
    ResponseReader::new(ScriptedPortal { pieces: pieces.into_iter(), then_closes: true })
}

/// The complete body, its trailers, and whether the connection could be reused.
async fn body(
    reader: &mut ResponseReader<ScriptedPortal>,
    answer: &ResponseHead,
) -> Result<(Vec<u8>, Option<HeaderMap>, bool), WireError> {
    let (mut data, mut trailers, mut framing) = (Vec::new(), None, answer.framing);
    while let Some(frame) = reader.read_frame(&mut framing).await {
        match frame?.into_data() {
            Ok(piece) => data.extend_from_slice(&piece),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((data, trailers, answer.keep_alive && reader.is_empty()))
}

async fn framing(text: &str) -> Result<(Framing, bool), WireError> {
    reader(text).read_head(false).await.map(|answer| (answer.framing, answer.keep_alive))
}

#[tokio::test]
async fn reads_body_framing_of_rfc_9112() {
    use Framing::{Chunked, Empty, Length, UntilClose};
    for (text, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", (Length(5), true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (Empty, true)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nContent-Length: 5\r\n\r\n", (Length(5), true)),
        ("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", (Chunked, true)),
        ("HTTP/1.1 200 OK\r\n\r\n", (UntilClose, false)),
        ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\n", (Length(5), false)),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", (Length(5), false)),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", (Length(5), true)),
        ("HTTP/1.1 204 No Content\r\n\r\n", (Empty, true)),
        // a forbidden body may follow all the same, and after 101 another protocol
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", (Empty, false)),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", (Empty, false)),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", (Empty, true)),
        ("HTTP/1.1 200 OK\nContent-Length: 5\n\n", (Length(5), true)),
    ] {
        assert_eq!(framing(text).await.unwrap(), expected, "{text:?}");
    }
}

#[tokio::test]
async fn response_to_head_has_length_but_no_body() {
    let mut reader = reader("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    let answer = reader.read_head(true).await.unwrap();
    assert_eq!((answer.framing, answer.keep_alive), (Framing::Empty, true));
    assert_eq!(answer.headers["content-length"], "5");
}

#[tokio::test]
async fn attack_response_smuggling() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        "HTTP/1.1 99 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "<html>\r\n\r\n",
    ] {
        let answer = framing(text).await;
        assert!(matches!(answer, Err(WireError::Malformed(_))), "{text:?}: {answer:?}");
    }
}

#[tokio::test]
async fn rejects_truncated_responses() {
    assert!(matches!(framing("").await, Err(WireError::NoResponse)));
    assert!(matches!(framing("HTTP/1.1 200 OK\r\nContent-").await, Err(WireError::Closed)));
    for head in ["Content-Length: 5\r\n\r\n1234", "Transfer-Encoding: chunked\r\n\r\n5\r\n1234"] {
        let mut reader = reader(format!("HTTP/1.1 200 OK\r\n{head}"));
        let answer = reader.read_head(false).await.unwrap();
        assert!(matches!(body(&mut reader, &answer).await, Err(WireError::Closed)), "{head:?}");
    }
}

#[tokio::test]
async fn rejects_oversized_heads() {
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(MAX_HEAD));
    assert!(matches!(framing(&endless).await, Err(WireError::Malformed("the head is too long"))));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(1000));
    assert!(matches!(framing(&many).await, Err(WireError::Malformed(_))));
}

/// One message, in reads of a few bytes and of as many as fit into the buffer.
#[tokio::test]
async fn limits_are_the_same_however_the_network_cuts() {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let size_line = |length: usize| chunked(&format!("2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(length - 4)));
    let trailers = |length: usize| chunked(&format!("0\r\nA: {}\r\n\r\n", "x".repeat(length - 7)));
    let head = |length: usize| {
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ";
        format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4))
    };
    for (text, is_taken) in [
        (size_line(MAX_SIZE_LINE), true),
        (size_line(MAX_SIZE_LINE + 1), false),
        (trailers(MAX_TRAILERS), true),
        (trailers(MAX_TRAILERS + 1), false),
        (head(MAX_HEAD), true),
        (head(MAX_HEAD + 1), false),
    ] {
        for size in [1000, 8192] {
            let mut reader = pieces(text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect());
            let read = match reader.read_head(false).await {
                Ok(answer) => body(&mut reader, &answer).await.map(|_| ()),
                Err(error) => Err(error),
            };
            assert_eq!(read.is_ok(), is_taken, "{} bytes in reads of {size}: {read:?}", text.len());
        }
    }
}

#[tokio::test]
async fn attack_endless_interim_responses() {
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    for (times, is_too_many) in [(MAX_INTERIM, false), (MAX_INTERIM + 1, true)] {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let mut reader = reader(interim.repeat(times as usize) + answer);
        let last = loop {
            match reader.read_head(false).await {
                Ok(answer) if answer.is_interim() => {}
                last => break last,
            }
        };
        assert_eq!(last.is_err(), is_too_many, "{times}: {last:?}");
    }
}

#[tokio::test]
async fn attack_response_splitting() {
    let two =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let mut reader = reader(two);
    let answer = reader.read_head(false).await.unwrap();
    let (data, _, reusable) = body(&mut reader, &answer).await.unwrap();
    assert_eq!((data.as_slice(), reusable), (&b"ok"[..], false));
}

#[tokio::test]
async fn idle_connection_has_no_unread_bytes() {
    let silent = ScriptedPortal { pieces: vec![].into_iter(), then_closes: false };
    let quiet = |mut reader: ResponseReader<ScriptedPortal>| {
        std::future::poll_fn(move |cx| Poll::Ready(reader.is_idle(cx)))
    };
    assert!(quiet(ResponseReader::new(silent)).await);
    assert!(!quiet(reader("")).await, "closed");
    assert!(!quiet(reader("HTTP/1.1 408 Request Timeout\r\n\r\n")).await, "sent unsolicited bytes");
}

/// tokio reports a socket as not ready to a task that has used up its budget.
#[tokio::test]
async fn attack_unread_bytes_hidden_by_task_budget() {
    let (mut portal, ours) = tokio::net::UnixStream::pair().unwrap();
    let mut reader = ResponseReader::new(ours);
    tokio::io::AsyncWriteExt::write_all(&mut portal, b"HTTP/1.1 200 OK\r\n\r\nevil").await.unwrap();
    reader.io.readable().await.unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let busy = std::future::poll_fn(move |cx| {
        // more than the budget of one poll
        for _ in 0..200 {
            sender.send(()).unwrap();
        }
        while receiver.poll_recv(cx).is_ready() {}
        Poll::Ready(reader.is_idle(cx))
    });
    assert!(!tokio::spawn(busy).await.unwrap(), "there are unsolicited bytes");
}

#[tokio::test]
async fn attack_unread_bytes_lost_by_shrinking_buffer() {
    let large = "x".repeat(20_000);
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n{large}HTTP/1.1 200 OK\r\n");
    let mut reader = pieces(text.as_bytes().chunks(8192).map(<[u8]>::to_vec).collect());
    let answer = reader.read_head(false).await.unwrap();
    assert!(!body(&mut reader, &answer).await.unwrap().2);
    reader.shrink();
    assert!(!std::future::poll_fn(move |cx| Poll::Ready(reader.is_idle(cx))).await);
}

#[tokio::test]
async fn attack_malformed_chunks() {
    for chunks in [
        "5\r\n123456\r\n0\r\n\r\n",
        "5\r\n1234\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "g\r\n",
        " 5\r\n12345\r\n",
        "fffffffffffffffff\r\n",
        "0\r\nbad trailer\r\n\r\n",
        "5\n12345\n0\n\n",
        // no size at all, which some take for 0
        "\r\n\r\n",
        ";x\r\n\r\n",
        " \r\n\r\n",
        "5\r\nhello\r\n\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "0\r\n\nX: y\r\n\r\n",
    ] {
        let mut reader = reader(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
        let answer = reader.read_head(false).await.unwrap();
        let ended = body(&mut reader, &answer).await;
        assert!(ended.is_err(), "{chunks:?}: {ended:?}");
    }
}

#[test]
fn writes_own_framing_whatever_the_headers_say() {
    let written = |method: &str, lines: &[(&str, &str)], sent| {
        let request =
            lines.iter().fold(Request::builder().method(method).uri("/a?b=c"), |request, (name, value)| {
                request.header(*name, *value)
            });
        let mut out = Vec::new();
        write_head(&mut out, &request.body(()).unwrap(), sent, |_| {});
        String::from_utf8(out).unwrap()
    };
    let lies = [("host", "p"), ("content-length", "7"), ("transfer-encoding", "chunked")];
    for (method, lines, sent, expected) in [
        ("GET", &lies[..1], RequestFraming::Empty, "GET /a?b=c HTTP/1.1\r\nhost: p\r\n\r\n"),
        (
            "POST",
            &lies[..1],
            RequestFraming::Empty,
            "POST /a?b=c HTTP/1.1\r\nhost: p\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "DELETE",
            &lies[..2],
            RequestFraming::Empty,
            "DELETE /a?b=c HTTP/1.1\r\nhost: p\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "PUT",
            &lies,
            RequestFraming::Length(5),
            "PUT /a?b=c HTTP/1.1\r\nhost: p\r\ncontent-length: 5\r\n\r\n",
        ),
        (
            "PUT",
            &lies,
            RequestFraming::Chunked,
            "PUT /a?b=c HTTP/1.1\r\nhost: p\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
    ] {
        assert_eq!(written(method, lines, sent), expected);
    }
}

/// Cuts `text` wherever `cuts` says.
fn cut(text: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % text.len()).collect();
    at.extend([0, text.len()]);
    at.sort_unstable();
    at.dedup();
    at.windows(2).map(|pair| text[pair[0]..pair[1]].to_vec()).collect()
}

proptest! {
    /// A response is parsed the same however the network splits it.
    #[test]
    fn reads_same_response_however_bytes_are_split(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..80), 0..6),
        cuts in prop::collection::vec(0usize..4096, 0..40),
        trailer in any::<bool>(),
    ) {
        let mut text = b"HTTP/1.1 200 OK\r\nDate: today\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in &chunks {
            text.extend(format!("{:x};ext=1\r\n", chunk.len()).bytes());
            text.extend(chunk);
            text.extend(b"\r\n");
        }
        text.extend(b"0\r\n");
        text.extend(if trailer { &b"X-Sum: 1\r\n\r\n"[..] } else { b"\r\n" });
        let (data, trailers, reusable) = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mut reader = pieces(cut(&text, &cuts));
            let answer = reader.read_head(false).await.unwrap();
            assert_eq!(answer.headers["date"], "today");
            body(&mut reader, &answer).await.unwrap()
        });
        prop_assert_eq!(data, chunks.concat());
        prop_assert_eq!(trailers.map(|map| map["x-sum"].as_bytes().to_vec()), trailer.then(|| b"1".to_vec()));
        prop_assert!(reusable);
    }

    /// No bytes of a portal cause a panic or an endless wait.
    #[test]
    fn never_panics_or_hangs_on_any_bytes(text in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(0usize..300, 0..9)) {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            for text in [text.clone(), [head, text].concat()] {
                if text.is_empty() { continue; }
                let mut reader = pieces(cut(&text, &cuts));
                if let Ok(answer) = reader.read_head(false).await {
                    let _ = body(&mut reader, &answer).await;
                }
            }
        });
    }
}

#[test]
fn computes_remaining_framing() {
    assert_eq!(Framing::Length(5).after(3), Framing::Length(2));
    assert_eq!(Framing::Length(5).after(5), Framing::Empty);
    assert_eq!(Framing::Chunked.after(5), Framing::Chunked);
}
