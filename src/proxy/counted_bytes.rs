//! Bytes of a request that count as buffered for its client until the last reference to them is dropped.

use bytes::Bytes;

use crate::sync::client_limits::Permit;

/// Owns the bytes and their reservation, so that both are released at the same time.
struct CountedBytes {
    bytes: Bytes,
    #[expect(dead_code, reason = "permits are held, not read")]
    reservation: Permit,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Attaches `reservation` to the bytes: it is released when they are freed, after they waited for a connection to the
/// portal or in its send buffer.
pub fn counted(bytes: Bytes, reservation: Permit) -> Bytes {
    Bytes::from_owner(CountedBytes { bytes, reservation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::fairness::Resource, sync::client_limits::ClientRegistry};

    #[test]
    fn bytes_count_until_the_last_reference_is_dropped() {
        let registry = ClientRegistry::default();
        let client = registry.by_address("192.0.2.1".parse().unwrap());
        let held = || client.held(Resource::BufferedBytes);
        let bytes = counted(Bytes::from_static(b"hello"), client.reserve(Resource::BufferedBytes, 5));
        let part = bytes.slice(1..2);
        assert_eq!((&bytes[..], &part[..], held()), (&b"hello"[..], &b"e"[..], 5));
        drop(bytes);
        assert_eq!(held(), 5);
        drop(part);
        assert_eq!(held(), 0);
    }
}
