//! Session cookies tell whether they are ours. Whoever makes some up is refused without a look into the store, however many
//! they send.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};

use super::cookie::CookieSecret;

/// What makes a cookie worth stealing is in front; behind it is the seal. 64 bits of it are plenty: a guess that fits by
/// chance costs one read, and names nothing.
const RANDOM: usize = 24;

pub struct Seal(hmac::Key);

impl Seal {
    /// What the store calls the key of all replicas.
    pub const NAME: &str = "sessions";

    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// What a new session's cookie holds.
    pub fn secret(&self, random: &[u8; RANDOM]) -> CookieSecret {
        let tag = hmac::sign(&self.0, random);
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(random.iter().chain(tag.as_ref())).for_each(|(to, from)| *to = *from);
        CookieSecret::new(bytes)
    }

    /// Whether we have made it.
    pub fn is_on(&self, secret: &CookieSecret) -> bool {
        let (random, seal) = secret.as_bytes().split_at(RANDOM);
        let tag = hmac::sign(&self.0, random);
        tag.as_ref().get(..seal.len()).is_some_and(|tag| verify_slices_are_equal(tag, seal).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_made_up_cookies_bear_no_seal_of_ours() {
        let (ours, others) = (Seal::new(&[1; 32]), Seal::new(&[2; 32]));
        let secret = ours.secret(&[7; RANDOM]);
        assert!(ours.is_on(&secret) && !others.is_on(&secret));
        for bit in 0..256 {
            let mut bytes = *secret.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!ours.is_on(&CookieSecret::new(bytes)), "bit {bit} is another");
        }
    }
}
