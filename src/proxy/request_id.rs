//! The identifier of a request, in every log line and answer that belongs to it.

use http::{HeaderValue, request::Parts};

use super::{ClientConnection, refusal::X_REQUEST_ID};
use crate::config::Settings;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A trusted proxy's id is retained, so that all logs have the same id; an id from any other peer is replaced.
pub(super) fn request_id(settings: &Settings, connection: &ClientConnection, parts: &Parts) -> HeaderValue {
    if !settings.server.trusted_proxies.is_empty()
        && let Some(id) = parts.headers.get(X_REQUEST_ID)
        && (1..=128).contains(&id.len())
        && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && settings.server.trusted_proxies.iter().any(|net| net.contains(&connection.peer.ip()))
    {
        return id.clone();
    }
    let mut random = fastrand::u128(..);
    let id: [u8; 32] = std::array::from_fn(|_| {
        let digit = HEX.get((random & 15) as usize).copied().unwrap_or(b'0');
        random >>= 4;
        digit
    });
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}
