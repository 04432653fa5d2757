//! A body in chunks (RFC 9112 §7.1), read piece by piece as it arrives. No I/O here.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::Status;

use super::{WireError, response_head::end_of_head};

/// A chunk's size with its extensions, which are ignored.
pub const MAX_SIZE_LINE: usize = 4 * 1024;
pub const MAX_TRAILERS: usize = 16 * 1024;
const MAX_TRAILER_LINES: usize = 64;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum ChunkedDecoder {
    #[default]
    Size,
    Data(u64),
    /// The line end behind a chunk's data.
    DataEnd,
    Trailers,
    Ended,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// More has to be read.
    Incomplete,
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

impl ChunkedDecoder {
    /// Takes the next piece off the front of `read`.
    pub fn take(&mut self, read: &mut BytesMut) -> Result<Piece, WireError> {
        loop {
            match *self {
                Self::Size if read.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) => {
                    return Err(WireError::Malformed("a chunk without a size"));
                }
                Self::Size => match httparse::parse_chunk_size(read) {
                    Ok(Status::Complete((line, size)))
                        if line <= MAX_SIZE_LINE && is_one_line(read, line) =>
                    {
                        read.advance(line);
                        *self = if size == 0 { Self::Trailers } else { Self::Data(size) };
                    }
                    Ok(Status::Partial) if read.len() <= MAX_SIZE_LINE => return Ok(Piece::Incomplete),
                    _ => return Err(WireError::Malformed("the size of a chunk")),
                },
                Self::Data(_) if read.is_empty() => return Ok(Piece::Incomplete),
                Self::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(read.len());
                    let left = left.saturating_sub(here as u64);
                    *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                    return Ok(Piece::Data(read.split_to(here).freeze()));
                }
                Self::DataEnd => match &**read {
                    [b'\r', b'\n', ..] => {
                        read.advance(2);
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(Piece::Incomplete),
                    _ => return Err(WireError::Malformed("a chunk longer than it says")),
                },
                Self::Trailers => return self.trailers(read),
                Self::Ended => return Ok(Piece::End),
            }
        }
    }

    fn trailers(&mut self, read: &mut BytesMut) -> Result<Piece, WireError> {
        match &**read {
            [b'\r', b'\n', ..] => {
                read.advance(2);
                *self = Self::Ended;
                return Ok(Piece::End);
            }
            [] | [b'\r'] => return Ok(Piece::Incomplete),
            [b'\n', ..] => return Err(WireError::Malformed("the end of the chunks")),
            _ => {}
        }
        let malformed = || WireError::Malformed("the trailers");
        let end = end_of_head(read, &mut 0);
        if end.unwrap_or(read.len()) > MAX_TRAILERS {
            return Err(malformed());
        }
        let Some(end) = end else { return Ok(Piece::Incomplete) };
        let block = read.split_to(end).freeze();
        let mut slots = [httparse::EMPTY_HEADER; MAX_TRAILER_LINES];
        let lines = match httparse::parse_headers(&block, &mut slots) {
            Ok(Status::Complete((read, lines))) if read == block.len() => lines,
            _ => return Err(malformed()),
        };
        let mut trailers = HeaderMap::with_capacity(lines.len());
        for line in lines {
            let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| malformed())?;
            let value = HeaderValue::from_bytes(line.value).map_err(|_| malformed())?;
            trailers.append(name, value);
        }
        *self = Self::Ended;
        Ok(Piece::Trailers(trailers))
    }
}

/// Some parsers take a bare LF in an extension for the end of the line, others do not.
fn is_one_line(read: &[u8], line: usize) -> bool {
    read.get(..line.saturating_sub(2)).is_some_and(|line| !line.contains(&b'\n'))
}
