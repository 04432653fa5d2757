//! HTTP/1.1 read from a socket byte for byte, without a library between the test and the wire.

use std::io::{self, BufRead};

pub type Headers = Vec<(String, String)>;

/// The first line and the headers of a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub first: String,
    pub headers: Headers,
}

impl Head {
    /// `None` when the peer closed before a first byte.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first) = line(from)? else { return Ok(None) };
        let headers = headers(from)?;
        Ok(Some(Self { first, headers }))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

pub fn find<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if from.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    // one character a byte: nothing is lost and nothing is refused
    Ok(Some(bytes.into_iter().map(char::from).collect()))
}

fn headers(from: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Vec::new();
    loop {
        let line = line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
}

/// `name: value` and the end of the line, one after the other.
pub fn as_lines(headers: &[(String, String)], end: &str) -> String {
    headers.iter().fold(String::new(), |lines, (name, value)| lines + name + ": " + value + end)
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

impl Framing {
    /// `otherwise` applies without both headers: no body for a request, until close for an answer.
    pub fn of(headers: &Headers, otherwise: Self) -> Self {
        if find(headers, "transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            return Self::Chunked;
        }
        find(headers, "content-length").and_then(|v| v.parse().ok()).map_or(otherwise, Self::Length)
    }
}

/// Reads a body piece by piece as it arrives; returns the trailers.
pub fn read_body(
    from: &mut impl BufRead,
    framing: Framing,
    mut piece: impl FnMut(&[u8]),
) -> io::Result<Headers> {
    match framing {
        Framing::Length(length) => copy(from, Some(length), &mut piece).map(|()| Vec::new()),
        Framing::UntilClose => copy(from, None, &mut piece).map(|()| Vec::new()),
        Framing::Chunked => loop {
            let size = line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size == 0 {
                return headers(from);
            }
            copy(from, Some(size), &mut piece)?;
            line(from)?;
        },
    }
}

fn copy(from: &mut impl BufRead, length: Option<u64>, piece: &mut impl FnMut(&[u8])) -> io::Result<()> {
    let mut left = length.unwrap_or(u64::MAX);
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = from.read(&mut buffer[..most])?;
        if read == 0 {
            return if length.is_some() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) };
        }
        piece(&buffer[..read]);
        left -= read as u64;
    }
    Ok(())
}

#[test]
fn a_chunked_message_is_read_with_its_trailers() {
    let mut wire = &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nSum: 5\r\n\r\n"[..];
    let head = Head::read(&mut wire).unwrap().unwrap();
    let mut body = Vec::new();
    let framing = Framing::of(&head.headers, Framing::UntilClose);
    let trailers = read_body(&mut wire, framing, |piece| body.extend_from_slice(piece)).unwrap();
    assert_eq!((head.first.as_str(), body.as_slice()), ("HTTP/1.1 200 OK", &b"abcde"[..]));
    assert_eq!(trailers, [("Sum".to_owned(), "5".to_owned())]);
}

#[test]
fn a_body_that_breaks_off_is_an_error() {
    let broken = read_body(&mut &b"ab"[..], Framing::Length(3), |_| {});
    assert_eq!(broken.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}
