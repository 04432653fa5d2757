//! Cryptographic primitives with one result type: random bytes from the operating system, SHA-256 and HMAC-SHA-256.

use aws_lc_rs::{digest, hmac, rand};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct RandomUnavailable;

/// For ids and secrets.
pub fn random_bytes<const SIZE: usize>() -> Result<[u8; SIZE], RandomUnavailable> {
    let mut bytes = [0; SIZE];
    rand::fill(&mut bytes).map_err(|_| RandomUnavailable)?;
    Ok(bytes)
}

#[inline]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    fixed(digest::digest(&digest::SHA256, data).as_ref())
}

/// A key of HMAC-SHA-256.
#[derive(Debug)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    #[inline]
    pub fn tag(&self, data: &[u8]) -> [u8; 32] {
        fixed(hmac::sign(&self.0, data).as_ref())
    }

    /// Whether `tag` is the whole tag of the data; in constant time.
    pub fn verifies(&self, data: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, data, tag).is_ok()
    }
}

/// Both algorithms have 32 bytes of output.
#[inline]
fn fixed(output: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(output).for_each(|(to, from)| *to = *from);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2 and RFC 4231 (its key, padded with zeros, is the same HMAC key).
    #[test]
    fn outputs_are_those_of_the_standards() {
        assert!(hex::encode(sha256(b"abc")).starts_with("ba7816bf8f01cfea414140de5dae2223"));
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let key = HmacKey::new(&key);
        let tag = key.tag(b"what do ya want for nothing?");
        assert!(hex::encode(tag).starts_with("5bdcc146bf60754e6a042426089575c7"));
        assert!(key.verifies(b"what do ya want for nothing?", &tag));
        assert!(!key.verifies(b"what do ya want for nothing?", &tag[..16]));
    }
}
