//! The identifier of a request, in every log line and answer that belongs to it.

use http::{HeaderValue, request::Parts};

use super::{ClientConnection, forwarded, refusal::X_REQUEST_ID};
use crate::config::Settings;

/// A trusted proxy's id is retained, so that all logs have the same id; an id from any other peer is replaced.
pub(super) fn request_id(settings: &Settings, connection: &ClientConnection, parts: &Parts) -> HeaderValue {
    if forwarded::is_trusted(connection.peer.ip(), &settings.server.trusted_proxies)
        && let Some(id) = parts.headers.get(X_REQUEST_ID)
        && (1..=128).contains(&id.len())
        && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    {
        return id.clone();
    }
    let mut id = [b'0'; 32];
    // the length fits
    let _ = hex::encode_to_slice(fastrand::u128(..).to_le_bytes(), &mut id);
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}
