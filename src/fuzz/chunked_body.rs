//! Bodies in chunks, as an upstream sends them.

use bytes::BytesMut;
use http::HeaderMap;

use crate::proxy::upstream::http1::{
    RequestFraming,
    chunked::{ChunkedDecoder, MAX_SIZE_LINE, MAX_TRAILERS, Piece},
    write_body,
};

/// The input is a body with `Transfer-Encoding: chunked`.
///
/// - Pieces of any size give the same body, trailers and error.
/// - A body that is accepted is also one to a strict reader of RFC 9112 §7.1, with the same data and the same end.
/// - Size lines and trailers are not longer than their limits.
/// - A body that is written again is read as the same body.
pub fn chunked_body(data: &[u8]) {
    let body = read(data, data.len());
    for size in [1, 3, 64] {
        assert_eq!(read(data, size), body, "in pieces of {size} bytes");
    }
    let End::Complete { consumed } = body.end else { return };
    let strict = strict(data);
    let Some((strict_data, trailer_offset)) = strict else {
        unreachable!("a strict reader refuses the body: {body:?}")
    };
    assert_eq!(body.data, strict_data);
    let trailers = data.get(trailer_offset..consumed).unwrap_or_default();
    assert!(trailers.len() <= MAX_TRAILERS && trailers.ends_with(b"\n"), "{trailers:?}");
    assert_eq!(body.trailers.is_none(), trailers == b"\r\n", "{trailers:?}");

    let mut written = Vec::new();
    write_body(&mut written, RequestFraming::Chunked, &body.data, body.trailers.as_ref());
    let again = read(&written, written.len());
    let end = End::Complete { consumed: written.len() };
    assert_eq!(again, ChunkedBody { end, ..body }, "written and read again");
}

#[derive(Debug, PartialEq, Eq)]
struct ChunkedBody {
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// After so many bytes of the input.
    Complete {
        consumed: usize,
    },
    Unfinished,
    Malformed(String),
}

fn read(data: &[u8], size: usize) -> ChunkedBody {
    let mut body = ChunkedBody { data: Vec::new(), trailers: None, end: End::Unfinished };
    let mut state = ChunkedDecoder::default();
    let mut buffer = BytesMut::new();
    let mut fed = 0;
    for piece in data.chunks(size.max(1)) {
        buffer.extend_from_slice(piece);
        fed += piece.len();
        loop {
            match state.take(&mut buffer) {
                Ok(Piece::Incomplete) => break,
                Ok(Piece::Data(data)) => body.data.extend_from_slice(&data),
                Ok(Piece::Trailers(trailers)) => body.trailers = Some(trailers),
                Ok(Piece::End) => {
                    body.end = End::Complete { consumed: fed - buffer.len() };
                    return body;
                }
                Err(error) => {
                    body.end = End::Malformed(error.to_string());
                    return body;
                }
            }
        }
    }
    body
}

/// The data, and the offset of the trailers. Every line ends with CR LF, and a size is hexadecimal digits alone.
fn strict(whole: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut rest = whole;
    let mut data = Vec::new();
    loop {
        let line_feed = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = rest.split_at_checked(line_feed + 1)?;
        assert!(line.len() <= MAX_SIZE_LINE, "a size line of {} bytes", line.len());
        let line = line.strip_suffix(b"\r\n")?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at_checked(digits)?;
        if !matches!(extension, [] | [b';' | b' ' | b'\t', ..]) {
            return None;
        }
        let size = u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        rest = after;
        if size == 0 {
            return Some((data, whole.len() - rest.len()));
        }
        let (chunk, after) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        data.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}
