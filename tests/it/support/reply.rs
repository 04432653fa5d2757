//! The answer of a test double: a plain one, or a fault as real portals make them.

use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, Sender, channel},
};

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

#[derive(Debug, Clone)]
pub enum Body {
    Whole(Vec<u8>),
    /// The head of the request, as it arrived.
    EchoHead,
    /// The body of the request, as it arrived.
    Echo,
    /// Chunked, each piece as the test hands it out; closed when the test drops the hose.
    Pieces(Arc<Mutex<Receiver<Vec<u8>>>>),
    /// So many bytes, made as they are sent.
    Zeros(u64),
    /// Chunked, with trailers.
    Trailers {
        body: Vec<u8>,
        trailers: Vec<(String, String)>,
    },
    /// These bytes and nothing else on the wire, then the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, then silence until the caller goes away.
    RawThenSilence(Vec<u8>),
    /// `101`, then every byte comes back.
    UpgradeEcho,
}

/// The test's end of a streaming answer.
#[derive(Debug)]
pub struct StreamSender(Sender<Vec<u8>>);

impl StreamSender {
    pub fn send(&self, piece: impl Into<Vec<u8>>) {
        self.0.send(piece.into()).expect("the double still streams");
    }
}

impl Reply {
    pub fn text(body: impl Into<String>) -> Self {
        Self::of(Body::Whole(body.into().into_bytes())).header("content-type", "text/plain")
    }

    pub fn json(body: &serde_json::Value) -> Self {
        Self::of(Body::Whole(body.to_string().into_bytes())).header("content-type", "application/json")
    }

    /// An answer that need not fit into memory.
    pub fn zeros(bytes: u64) -> Self {
        Self::of(Body::Zeros(bytes))
    }

    /// Server-sent events, one piece at a time.
    pub fn stream() -> (Self, StreamSender) {
        let (sender, receiver) = channel();
        let body = Body::Pieces(Arc::new(Mutex::new(receiver)));
        (Self::of(body).header("content-type", "text/event-stream"), StreamSender(sender))
    }

    pub fn echo_head() -> Self {
        Self::of(Body::EchoHead)
    }

    pub fn echo_body() -> Self {
        Self::of(Body::Echo)
    }

    pub fn trailers(body: &str, trailers: &[(&str, &str)]) -> Self {
        let trailers = trailers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Self::of(Body::Trailers { body: body.into(), trailers })
    }

    /// Exactly these bytes, then the end of the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(Body::Raw(bytes.into()))
    }

    /// Exactly these bytes, and then nothing ever again. `b""` is a portal that hangs.
    pub fn raw_then_silence(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(Body::RawThenSilence(bytes.into()))
    }

    pub fn upgrade_echo() -> Self {
        Self::of(Body::UpgradeEcho)
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn of(body: Body) -> Self {
        Self { status: 200, headers: Vec::new(), body }
    }
}
