//! A WebSocket that sends back what it gets (RFC 6455, as far as an echo needs it).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// RFC 6455, 1.3: proves that the server understood the handshake.
const HANDSHAKE_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Longest frame that is sent back; a longer one ends the connection.
const MAX_FRAME_BYTES: u64 = 1024 * 1024;

pub async fn echo(mut request: Request<Body>) -> Response {
    let Some(accept) = accept_header(request.headers()) else {
        return (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], "This is a WebSocket.\n")
            .into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                if let Err(error) = relay(TokioIo::new(upgraded)).await {
                    tracing::debug!(%error, "a WebSocket ended early");
                }
            }
            Err(error) => tracing::debug!(%error, "the upgrade failed"),
        }
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

fn accept_header(headers: &HeaderMap) -> Option<HeaderValue> {
    let upgrade = headers.get(header::UPGRADE)?.to_str().ok()?;
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return None;
    }
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{HANDSHAKE_GUID}").as_bytes());
    HeaderValue::try_from(base64(hash.as_ref())).ok()
}

/// Frame by frame: the mask goes, the rest stays.
async fn relay(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    loop {
        let mut head = [0u8; 2];
        if stream.read_exact(&mut head).await.is_err() {
            return Ok(());
        }
        let [first, second] = head;
        let length = match second & 0x7f {
            126 => u64::from(stream.read_u16().await?),
            127 => stream.read_u64().await?,
            short => u64::from(short),
        };
        // RFC 6455, 5.1: a client masks every frame
        if second & 0x80 == 0 || length > MAX_FRAME_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mask = stream.read_u32().await?.to_be_bytes();
        let mut payload = vec![0u8; usize::try_from(length).unwrap_or_default()];
        stream.read_exact(&mut payload).await?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        let opcode = first & 0x0f;
        let answer = if opcode == PING { (first & 0xf0) | PONG } else { first };
        if opcode != PONG {
            stream.write_all(&frame(answer, &payload)).await?;
            stream.flush().await?;
        }
        if opcode == CLOSE {
            return stream.shutdown().await;
        }
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => frame.push(length),
        (_, Ok(length)) => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut written = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, n| (bits << 8) | u32::from(chunk.get(n).copied().unwrap_or(0)));
        for place in 0..4u32 {
            let index = (bits >> (18 - 6 * place)) & 0x3f;
            let digit = ALPHABET.get(index as usize).copied().map_or('=', char::from);
            written.push(if place as usize > chunk.len() { '=' } else { digit });
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_the_one_of_rfc_6455() {
        let mut headers = HeaderMap::new();
        headers.insert(header::UPGRADE, HeaderValue::from_static("WebSocket"));
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(accept_header(&headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!([base64(b"a"), base64(b"ab"), base64(b"abc")], ["YQ==", "YWI=", "YWJj"]);
    }

    #[tokio::test]
    async fn frames_come_back_without_their_mask() {
        let (mut client, server) = tokio::io::duplex(4096);
        let relay = tokio::spawn(relay(server));
        client.write_all(&[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]).await.unwrap();
        let mut answer = [0u8; 4];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"\x81\x02hi");
        client.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.unwrap();
        let mut pong = [0u8; 2];
        client.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong, [0x8a, 0]);
        client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
        relay.await.unwrap().unwrap();
    }

    #[test]
    fn long_frames_have_long_lengths() {
        assert_eq!(frame(0x82, &[0; 125])[1], 125);
        assert_eq!(frame(0x82, &[0; 126])[1..4], [126, 0, 126]);
        assert_eq!(frame(0x82, &vec![0; 65_536])[1..10], [127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
