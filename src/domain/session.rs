//! Browser sessions. The cookie contains a secret; the store contains its hash.

use core::net::IpAddr;
use std::{fmt, time::Duration};

use super::{account::AccountId, tenant::TenantId, time::Timestamp};

/// Maximum stored length of a `User-Agent`: its beginning identifies the browser.
const MAX_USER_AGENT_BYTES: usize = 255;

/// SHA-256 of the secret in the cookie. It grants no access, and identifies the session in lists and logs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionHash([u8; 32]);

impl SessionHash {
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// 64 lower hex digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    pub fn from_hex(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).ok()?;
        // each hash has exactly one text form
        text.bytes().all(|letter| !letter.is_ascii_uppercase()).then_some(Self(digest))
    }
}

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// A browser session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub hash: SessionHash,
    pub account: AccountId,
    pub tenant: TenantId,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// When the password was verified: before `created_at` if the session was renewed.
    pub signed_in_at: Timestamp,
    /// The absolute expiry.
    pub expires_at: Timestamp,
    /// The idle timeout.
    pub idle: Duration,
    pub user_agent: String,
    pub address: IpAddr,
}

impl Session {
    /// When the session ends if it is not used again.
    pub fn ends_at(&self) -> Timestamp {
        self.expires_at.min(self.last_seen_at + self.idle)
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }
}

/// A `User-Agent` for storage and display: truncated, without control characters.
pub fn sanitized_user_agent(sent: &str) -> String {
    let mut truncated: String = sent.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_BYTES).collect();
    while truncated.len() > MAX_USER_AGENT_BYTES {
        truncated.pop();
    }
    truncated
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    fn session(last_seen_at: Timestamp, idle: Duration, expires_at: Timestamp) -> Session {
        Session {
            hash: SessionHash::new([7; 32]),
            account: AccountId::from_bytes([1; 16]),
            tenant: TenantId::super_tenant(),
            created_at: Timestamp::EPOCH,
            last_seen_at,
            signed_in_at: Timestamp::EPOCH,
            expires_at,
            idle,
            user_agent: String::new(),
            address: Ipv4Addr::LOCALHOST.into(),
        }
    }

    #[test]
    fn session_ends_at_idle_timeout_or_lifetime() {
        let minute = Duration::from_mins(1);
        for (last_seen_at, idle, expires_at, ends_at) in [
            (0, minute, 1_000_000, 60_000),
            (990_000, minute, 1_000_000, 1_000_000),
            (0, Duration::MAX, 1_000_000, 1_000_000),
            (u64::MAX, minute, u64::MAX, u64::MAX),
        ] {
            let [last_seen_at, expires_at, ends_at] =
                [last_seen_at, expires_at, ends_at].map(Timestamp::from_millis);
            let session = session(last_seen_at, idle, expires_at);
            assert_eq!(session.ends_at(), ends_at);
            assert!(session.is_expired(ends_at) && !session.is_expired(ends_at - Duration::from_millis(1)));
        }
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = SessionHash::new(std::array::from_fn(|i| u8::try_from(i * 8).unwrap()));
        assert_eq!(SessionHash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(hash.to_hex().len(), 64);
        for text in
            ["", "00", &"0".repeat(63), &"0".repeat(65), &"G".repeat(64), &"A".repeat(64), &"é".repeat(32)]
        {
            assert_eq!(SessionHash::from_hex(text), None, "{text}");
        }
    }

    #[test]
    fn truncates_user_agent() {
        assert_eq!(sanitized_user_agent("Mozilla/5.0\u{1b}[31m\n(X11)"), "Mozilla/5.0[31m(X11)");
        assert_eq!(sanitized_user_agent(&"a".repeat(9_000)).len(), 255);
        assert!(sanitized_user_agent(&"ü".repeat(9_000)).len() <= 255);
    }
}
