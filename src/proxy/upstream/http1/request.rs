//! Writes a request for the portal into a buffer. No I/O here.

use std::io::Write as _;

use http::{HeaderMap, Method, Request, header};

/// Framing of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFraming {
    Empty,
    Length(u64),
    Chunked,
}

/// The request line, the headers and `write_more` of them. Doorward frames the body itself, whatever the headers say.
pub fn write_head<B>(
    out: &mut Vec<u8>,
    request: &Request<B>,
    body: RequestFraming,
    write_more: impl FnOnce(&mut Vec<u8>),
) {
    let (method, headers) = (request.method(), request.headers());
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        if *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING {
            continue;
        }
        write_line(out, name.as_str(), value.as_bytes());
    }
    write_more(out);
    match body {
        RequestFraming::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        RequestFraming::Length(length) => write_length(out, length),
        // a method that usually has a body announces that it has none (RFC 9110 §8.6)
        RequestFraming::Empty
            if matches!(*method, Method::POST | Method::PUT | Method::PATCH)
                || headers.contains_key(header::CONTENT_LENGTH) =>
        {
            write_length(out, 0);
        }
        RequestFraming::Empty => {}
    }
    out.extend_from_slice(b"\r\n");
}

fn write_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_length(out: &mut Vec<u8>, length: u64) {
    // writing into a vector cannot fail
    let _ = write!(out, "content-length: {length}\r\n");
}

/// Writes a body that is complete.
pub fn write_body(out: &mut Vec<u8>, sent: RequestFraming, data: &[u8], trailers: Option<&HeaderMap>) {
    match sent {
        RequestFraming::Empty => {}
        RequestFraming::Length(_) => out.extend_from_slice(data),
        RequestFraming::Chunked => {
            // a chunk of no bytes would be the last
            if !data.is_empty() {
                out.extend_from_slice(&chunk_size(data.len()));
                out.extend_from_slice(data);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(&last_chunk(trailers));
        }
    }
}

/// Precedes a chunk's data; a line end follows the data.
pub fn chunk_size(size: usize) -> Vec<u8> {
    format!("{size:x}\r\n").into_bytes()
}

/// The end of a body in chunks.
pub fn last_chunk(trailers: Option<&HeaderMap>) -> Vec<u8> {
    let mut out = b"0\r\n".to_vec();
    for (name, value) in trailers.into_iter().flatten() {
        write_line(&mut out, name.as_str(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}
