//! Signs session cookies. A forged cookie is rejected without store access, whatever the number of
//! forgeries.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::cookie::CookieSecret;
use crate::crypto::HmacKey;

/// Random bytes at the start of a cookie; the rest is the signature. 64 bits of it suffice: a forgery that
/// matches by chance costs one read, and identifies no session.
const RANDOM_BYTES: usize = 24;

pub struct CookieSigner(HmacKey);

impl CookieSigner {
    /// The name of the shared signing key in the store.
    pub const SECRET_NAME: &str = "sessions";

    pub fn new(key: &[u8; 32]) -> Self {
        Self(HmacKey::new(key))
    }

    /// The value of the cookie of a new session.
    pub fn sign(&self, random: &[u8; RANDOM_BYTES]) -> CookieSecret {
        let tag = self.0.tag(random);
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(random.iter().chain(&tag)).for_each(|(to, from)| *to = *from);
        CookieSecret::new(bytes)
    }

    /// Whether the signature is valid.
    pub fn verifies(&self, secret: &CookieSecret) -> bool {
        let (random, signature) = secret.as_bytes().split_at(RANDOM_BYTES);
        let tag = self.0.tag(random);
        tag.get(..signature.len()).is_some_and(|tag| verify_slices_are_equal(tag, signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_forged_session_cookies_fail_verification() {
        let (ours, others) = (CookieSigner::new(&[1; 32]), CookieSigner::new(&[2; 32]));
        let secret = ours.sign(&[7; RANDOM_BYTES]);
        assert!(ours.verifies(&secret) && !others.verifies(&secret));
        for bit in 0..256 {
            let mut bytes = *secret.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!ours.verifies(&CookieSecret::new(bytes)), "bit {bit} is another");
        }
    }
}
