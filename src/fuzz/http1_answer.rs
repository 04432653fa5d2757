//! HTTP/1.1 answers of an upstream, with their bodies.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use http::{HeaderMap, StatusCode, header};
use tokio::io::{AsyncRead, ReadBuf};

use crate::proxy::upstream::http1::{
    Framing, RequestFraming, ResponseHead, ResponseReader, WireError,
    response_head::{MAX_HEAD, take_head},
    write_body,
};

/// More answers are not read from one connection.
const MAX_ANSWERS: usize = 8;

/// The input is what an upstream sends on one connection before it closes it.
///
/// - Reads of any size give the same answers, bodies and error.
/// - A head ends at its first empty line and is at most `MAX_HEAD` bytes long.
/// - The headers say one thing about the end of the body, and the body obeys it.
/// - An answer that is written again is read as the same answer.
pub fn http1_answer(data: &[u8]) {
    for to_head in [false, true] {
        let connection = read(data, usize::MAX, to_head);
        for size in [1, 3, 64] {
            assert_eq!(read(data, size, to_head), connection, "in reads of {size} bytes");
        }
        for message in &connection.messages {
            message.check(to_head);
        }
        let broken = usize::from(connection.body_error.is_some());
        for message in connection.messages.iter().rev().skip(broken) {
            let again = read(&message.written(), usize::MAX, to_head);
            let again = again.messages.first().map(Message::without_connection);
            assert_eq!(again, Some(message.without_connection()), "written and read again");
        }
    }
    head_ends_at_first_empty_line(data);
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    status: StatusCode,
    headers: HeaderMap,
    framing: Framing,
    keep_alive: bool,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

impl Message {
    fn check(&self, to_head: bool) {
        let lengths: Vec<_> = self.headers.get_all(header::CONTENT_LENGTH).iter().collect();
        let codings: Vec<_> = self.headers.get_all(header::TRANSFER_ENCODING).iter().collect();
        assert!(lengths.len() + codings.len() <= 1, "two statements about the length: {self:?}");
        let length =
            lengths.first().map(|length| length.to_str().ok().and_then(|text| text.parse::<u64>().ok()));
        match self.framing {
            Framing::Length(announced) => {
                assert_eq!(length, Some(Some(announced)), "{self:?}");
                assert!(announced > 0 && self.body.len() as u64 <= announced, "{self:?}");
            }
            Framing::Chunked => {
                assert!(codings.iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")));
                assert_eq!(codings.len(), 1, "{self:?}");
            }
            Framing::UntilClose => assert!(!self.keep_alive && length.is_none(), "{self:?}"),
            Framing::Empty => assert!(self.body.is_empty(), "{self:?}"),
        }
        assert!(self.trailers.is_none() || self.framing == Framing::Chunked, "{self:?}");
        assert!(!(to_head || self.status.is_informational()) || self.framing == Framing::Empty, "{self:?}");
        let options = self.headers.get_all(header::CONNECTION).iter();
        let closes = options
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
        assert!(!(closes && self.keep_alive), "{self:?}");
    }

    fn written(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {}\r\n", self.status.as_u16()).into_bytes();
        for (name, value) in &self.headers {
            out.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        out.extend_from_slice(b"\r\n");
        let sent = match self.framing {
            Framing::Empty => RequestFraming::Empty,
            Framing::Chunked => RequestFraming::Chunked,
            Framing::Length(_) | Framing::UntilClose => RequestFraming::Length(self.body.len() as u64),
        };
        write_body(&mut out, sent, &self.body, self.trailers.as_ref());
        out
    }

    /// HTTP/1.0 and HTTP/1.1 differ in what keeps a connection open.
    fn without_connection(&self) -> Self {
        Self { keep_alive: false, ..self.clone() }
    }
}

/// The responses on one connection, and the error that ended it.
#[derive(Debug, PartialEq, Eq)]
struct ReadResponses {
    messages: Vec<Message>,
    head_error: Option<String>,
    /// Of the last message.
    body_error: Option<String>,
}

fn read(data: &[u8], size: usize, to_head: bool) -> ReadResponses {
    let mut reader = ResponseReader::new(Fragments { rest: data, size });
    let cx = &mut Context::from_waker(Waker::noop());
    let mut messages = Vec::new();
    while messages.len() < MAX_ANSWERS {
        let answer = match ready(reader.poll_head(cx, to_head)) {
            Ok(answer) => answer,
            Err(WireError::NoResponse) => break,
            Err(error) => {
                return ReadResponses { messages, head_error: Some(error.to_string()), body_error: None };
            }
        };
        let ResponseHead { status, headers, framing, keep_alive } = answer;
        let mut message = Message { status, headers, framing, keep_alive, body: Vec::new(), trailers: None };
        let mut left = framing;
        let mut body_error = None;
        while let Some(frame) = ready(reader.poll_frame(cx, &mut left)) {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(piece)) => message.body.extend_from_slice(&piece),
                Ok(Err(frame)) => message.trailers = frame.into_trailers().ok(),
                Err(broken) => {
                    body_error = Some(broken.to_string());
                    break;
                }
            }
        }
        messages.push(message);
        if body_error.is_some() {
            return ReadResponses { messages, head_error: None, body_error };
        }
    }
    ReadResponses { messages, head_error: None, body_error: None }
}

/// A connection that gives at most `size` bytes a read.
struct Fragments<'a> {
    rest: &'a [u8],
    size: usize,
}

impl AsyncRead for Fragments<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let all = self.rest;
        let (piece, rest) = all.split_at(self.size.min(buf.remaining()).min(all.len()));
        buf.put_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

fn ready<T>(poll: Poll<T>) -> T {
    let Poll::Ready(value) = poll else { unreachable!("a connection that never waits") };
    value
}

fn head_ends_at_first_empty_line(data: &[u8]) {
    let mut rest = BytesMut::from(data);
    let taken = take_head(&mut rest, &mut 0, false);
    let read = data.len() - rest.len();
    match taken {
        Ok(Some(_)) => {
            assert_eq!(Some(read), first_empty_line(data));
            assert!(read <= MAX_HEAD, "a head of {read} bytes");
        }
        Ok(None) => assert!(read == 0 && first_empty_line(data).is_none(), "a head that is not found"),
        Err(_) => {}
    }
}

/// The offset behind the first empty line that follows another line.
fn first_empty_line(data: &[u8]) -> Option<usize> {
    let mut end = 0;
    for (index, line) in data.split_inclusive(|byte| *byte == b'\n').enumerate() {
        end += line.len();
        if index > 0 && matches!(line, b"\n" | b"\r\n") {
            return Some(end);
        }
    }
    None
}
