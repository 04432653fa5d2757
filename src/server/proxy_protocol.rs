//! PROXY protocol, versions 1 and 2: a load balancer that forwards TCP sends the client's address in front of the connection
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>). Listed peers must send a header; from all others it is
//! part of a request, and a malformed one.

use std::{io, net::SocketAddr};

use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};
use tokio::{io::AsyncReadExt, net::TcpStream};

const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const V2_FIXED_BYTES: usize = 16;
/// With all TLVs; what the specification allows is 16 times as much.
const V2_MAX_BYTES: usize = 4096;
const V1_PREFIX: &[u8] = b"PROXY ";
const V1_MAX_BYTES: usize = 107;

/// The source of the connection according to the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnouncedSource {
    /// A client behind the peer.
    Client(SocketAddr),
    /// The peer itself, as for a health check (`LOCAL`), or a client that it cannot describe (`UNKNOWN`, `AF_UNSPEC`).
    Peer,
}

#[derive(Debug, thiserror::Error)]
pub enum ProxyHeaderError {
    #[error("the connection ended before its PROXY header: {0}")]
    Io(#[from] io::Error),
    #[error("no PROXY header")]
    Missing,
    #[error("malformed PROXY header")]
    Malformed,
    #[error("PROXY header too long")]
    TooLong,
}

/// Reads exactly the header: the following bytes belong to TLS or HTTP.
pub async fn read_proxy_header(stream: &mut TcpStream) -> Result<AnnouncedSource, ProxyHeaderError> {
    let mut header = vec![0; V2_SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == V2_SIGNATURE {
        read_v2(stream, &mut header).await?;
    } else if header.starts_with(V1_PREFIX) {
        read_v1(stream, &mut header).await?;
    } else {
        return Err(ProxyHeaderError::Missing);
    }
    parse(&header)
}

async fn read_v2(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<(), ProxyHeaderError> {
    let mut fixed = [0; V2_FIXED_BYTES - V2_SIGNATURE.len()];
    stream.read_exact(&mut fixed).await?;
    let [.., high, low] = fixed;
    let length = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if length > V2_MAX_BYTES {
        return Err(ProxyHeaderError::TooLong);
    }
    header.extend_from_slice(&fixed);
    header.resize(length, 0);
    if let Some(rest) = header.get_mut(V2_FIXED_BYTES..) {
        stream.read_exact(rest).await?;
    }
    Ok(())
}

/// Peeks the line before reading it, so that nothing after it is consumed.
async fn read_v1(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<(), ProxyHeaderError> {
    while !header.ends_with(b"\n") {
        let mut ahead = [0; V1_MAX_BYTES];
        let buffer =
            ahead.get_mut(..V1_MAX_BYTES.saturating_sub(header.len())).filter(|buffer| !buffer.is_empty());
        let buffer = buffer.ok_or(ProxyHeaderError::TooLong)?;
        let seen = stream.peek(buffer).await?;
        let line = buffer.get(..seen).filter(|seen| !seen.is_empty()).ok_or(io::ErrorKind::UnexpectedEof);
        let line = line.map_err(io::Error::from)?;
        let take = line.iter().position(|byte| *byte == b'\n').map_or(seen, |end| end + 1);
        let start = header.len();
        header.resize(start + take, 0);
        if let Some(part) = header.get_mut(start..) {
            stream.read_exact(part).await?;
        }
    }
    Ok(())
}

/// Parses a complete header and nothing else.
fn parse(header: &[u8]) -> Result<AnnouncedSource, ProxyHeaderError> {
    let (parsed, length) =
        ProxyHeader::parse(header, ParseConfig::default()).map_err(|_| ProxyHeaderError::Malformed)?;
    if length != header.len() || !parsed.tlvs().all(|tlv| tlv.is_ok()) {
        return Err(ProxyHeaderError::Malformed);
    }
    match parsed.proxied_address() {
        None => Ok(AnnouncedSource::Peer),
        Some(ProxiedAddress { protocol: Protocol::Stream, source, .. }) => {
            Ok(AnnouncedSource::Client(SocketAddr::new(source.ip().to_canonical(), source.port())))
        }
        Some(_) => Err(ProxyHeaderError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    /// The parsed header, and the bytes left for the next reader.
    async fn read(sent: &[&[u8]]) -> (Result<AnnouncedSource, String>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        let write = async move {
            for part in sent {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (read, ()) = tokio::join!(read_proxy_header(&mut server), write);
        let mut rest = Vec::new();
        if read.is_ok() {
            server.read_to_end(&mut rest).await.unwrap();
        }
        (read.map_err(|error| error.to_string()), rest)
    }

    fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE, &[command, family], &length, payload].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb];

    fn v6(source: &str) -> Vec<u8> {
        let source = source.parse::<std::net::Ipv6Addr>().unwrap().octets();
        [&source[..], &source[..], &[0x30, 0x39, 0x01, 0xbb]].concat()
    }

    #[tokio::test]
    async fn names_the_client_and_reads_no_further() {
        let client = |text: &str| AnnouncedSource::Client(text.parse().unwrap());
        let with_tlvs = [&V4[..], &[0x04, 0, 1, 0], &[0xea, 0, 3, 1, 2, 3]].concat();
        for (header, announced) in [
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\r\n".to_vec(), client("192.0.2.1:12345")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 12345 443\r\n".to_vec(), client("[2001:db8::1]:12345")),
            (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 12345 443\r\n".to_vec(), client("192.0.2.1:12345")),
            (b"PROXY UNKNOWN\r\n".to_vec(), AnnouncedSource::Peer),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), AnnouncedSource::Peer),
            (v2(0x21, 0x11, &V4), client("192.0.2.1:12345")),
            (v2(0x21, 0x11, &with_tlvs), client("192.0.2.1:12345")),
            (v2(0x21, 0x21, &v6("2001:db8::1")), client("[2001:db8::1]:12345")),
            (v2(0x20, 0x00, &[]), AnnouncedSource::Peer),
            (v2(0x20, 0x11, &V4), AnnouncedSource::Peer),
            (v2(0x21, 0x00, &[]), AnnouncedSource::Peer),
        ] {
            let whole = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(read(&[&whole]).await, (Ok(announced), b"GET / HTTP/1.1\r\n".to_vec()), "{header:?}");
            // byte by byte, as slow networks deliver it
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            assert_eq!(read(&bytes).await, (Ok(announced), b"GET / HTTP/1.1\r\n".to_vec()), "{header:?}");
        }
    }

    #[tokio::test]
    async fn attack_hostile_proxy_headers() {
        let long = [&b"PROXY TCP4 "[..], &[b'1'; 200], b"\r\n"].concat();
        for header in [
            &b""[..],
            b"PROXY",
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            b"proxy TCP4 192.0.2.1 10.0.0.1 12345 443\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 12345\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 12345 443 1\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\n",
            b"PROXY TCP4  192.0.2.1 10.0.0.1 12345 443\r\n",
            b"PROXY TCP4 2001:db8::1 10.0.0.1 12345 443\r\n",
            b"PROXY TCP6 192.0.2.1 10.0.0.1 12345 443\r\n",
            b"PROXY TCP4 192.0.2.01 10.0.0.1 12345 443\r\n",
            b"PROXY TCP4 192.0.2.256 10.0.0.1 12345 443\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 99999 443\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 -1 443\r\n",
            b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
            b"PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.1\0 10.0.0.1 1 2\r\n",
            &long,
            &v2(0x11, 0x11, &V4),
            &v2(0x22, 0x11, &V4),
            &v2(0x21, 0x12, &V4),
            &v2(0x21, 0x11, &V4[..11]),
            &v2(0x21, 0x21, &V4),
            &v2(0x21, 0x11, &[&V4[..], &[0x04, 0, 9, 0]].concat()),
            &v2(0x21, 0x11, &[&V4[..], &[0x04]].concat()),
            &v2(0x21, 0x11, &[0; 5000]),
            &v2(0x21, 0x11, &V4)[..20],
            &V2_SIGNATURE[..11],
        ] {
            let (read, _) = read(&[header]).await;
            assert!(read.is_err(), "{:?} is {read:?}", String::from_utf8_lossy(header));
        }
    }
}
