//! Parses the head of a response, and determines how its body ends. No I/O here.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::WireError;
use crate::proxy::validation::fields::content_length;

/// Maximum size of a head; portals set large cookies.
pub const MAX_HEAD: usize = 256 * 1024;
const MAX_HEADERS: usize = 128;

#[derive(Debug)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub framing: Framing,
    /// Whether the connection may be used again when the body has ended.
    pub keep_alive: bool,
}

impl ResponseHead {
    /// An interim response (RFC 9110 §15.2): `100 Continue`, `103 Early Hints`.
    pub fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }
}

/// How a body ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Empty,
    /// Number of bytes still to come; never 0.
    Length(u64),
    Chunked,
    UntilClose,
}

impl Framing {
    /// The remaining body after `bytes` more.
    pub fn after(self, bytes: usize) -> Self {
        match self {
            Self::Length(left) => match left.saturating_sub(bytes as u64) {
                0 => Self::Empty,
                left => Self::Length(left),
            },
            other => other,
        }
    }
}

/// Takes a complete head off the front of `read`; `None` if it is incomplete. `scanned` is the progress of the search for its
/// end, and is 0 for a new head.
pub fn take_head(
    read: &mut BytesMut,
    scanned: &mut usize,
    to_head: bool,
) -> Result<Option<ResponseHead>, WireError> {
    let end = end_of_head(read, scanned);
    // the same head is refused however the network cuts it
    if end.unwrap_or(read.len()) > MAX_HEAD {
        return Err(WireError::Malformed("the head is too long"));
    }
    let Some(end) = end else { return Ok(None) };
    parse(&read.split_to(end).freeze(), to_head).map(Some)
}

/// Position after the empty line. A line may end without CR (RFC 9112 §2.2).
pub fn end_of_head(read: &[u8], scanned: &mut usize) -> Option<usize> {
    let from = scanned.saturating_sub(2);
    for at in memchr::memchr_iter(b'\n', read.get(from..)?) {
        let line = from + at + 1;
        let empty_line = match read.get(line..)? {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => continue,
        };
        *scanned = 0;
        return Some(line + empty_line);
    }
    *scanned = read.len();
    None
}

fn parse(head: &Bytes, to_head: bool) -> Result<ResponseHead, WireError> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let whole = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, head, &mut slots)
        .map_err(|_| WireError::Malformed("the head cannot be read"))?;
    let (httparse::Status::Complete(read), Some(code), Some(version)) = (whole, parsed.code, parsed.version)
    else {
        return Err(WireError::Malformed("the head cannot be read"));
    };
    // both parsers must find the same end
    if read != head.len() {
        return Err(WireError::Malformed("the end of the head"));
    }
    let status = StatusCode::from_u16(code).map_err(|_| WireError::Malformed("no such status"))?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len() + 1);
    let mut framing_headers = FramingHeaders { http10: version == 0, ..FramingHeaders::default() };
    for line in &*parsed.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes())
            .map_err(|_| WireError::Malformed("a header's name"))?;
        // a slice of the head: nothing is copied
        let value = HeaderValue::from_maybe_shared(head.slice_ref(line.value))
            .map_err(|_| WireError::Malformed("a header's value"))?;
        framing_headers.add(&name, line.value)?;
        headers.append(name, value);
    }
    if framing_headers.repeated_length {
        // all of them have the same value
        if let Some(length) = framing_headers.length {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
    }
    let framing = framing_headers.framing(status, to_head)?;
    let keep_alive = framing != Framing::UntilClose
        && framing_headers.is_persistent()
        && !framing_headers.may_have_trailing_bytes(status);
    Ok(ResponseHead { status, headers, framing, keep_alive })
}

/// The headers that frame the message.
#[derive(Default)]
struct FramingHeaders {
    http10: bool,
    length: Option<u64>,
    repeated_length: bool,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl FramingHeaders {
    fn add(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), WireError> {
        if *name == header::CONTENT_LENGTH {
            let length = content_length(value.trim_ascii())
                .ok_or(WireError::Malformed("a Content-Length that is no number"))?;
            self.repeated_length |= self.length.is_some();
            if self.length.is_some_and(|first| first != length) {
                return Err(WireError::Malformed("two different Content-Length"));
            }
            self.length = Some(length);
        } else if *name == header::TRANSFER_ENCODING {
            if self.chunked || self.http10 || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(WireError::Malformed("a Transfer-Encoding other than chunked"));
            }
            self.chunked = true;
        } else if *name == header::CONNECTION {
            for option in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    fn framing(&self, status: StatusCode, to_head: bool) -> Result<Framing, WireError> {
        if self.chunked && self.length.is_some() {
            return Err(WireError::Malformed("both Content-Length and Transfer-Encoding"));
        }
        let bodiless = to_head
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(match self.length {
            _ if bodiless => Framing::Empty,
            _ if self.chunked => Framing::Chunked,
            Some(0) => Framing::Empty,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        })
    }

    /// Unexpected bytes may follow these: another protocol, or a forbidden body.
    fn may_have_trailing_bytes(&self, status: StatusCode) -> bool {
        let body = self.chunked || self.length.is_some_and(|length| length > 0);
        status == StatusCode::SWITCHING_PROTOCOLS || status == StatusCode::NO_CONTENT && body
    }

    fn is_persistent(&self) -> bool {
        !self.close && (!self.http10 || self.keep_alive)
    }
}
