//! A browser that signed in. What the cookie holds is a secret; what is kept is its hash.

use core::net::IpAddr;
use std::{fmt, time::Duration};

use super::{
    account::{AccountId, hex},
    tenant::TenantId,
};

/// The most that is kept of a `User-Agent`: people recognise a browser by its beginning.
const LONGEST_USER_AGENT: usize = 255;

/// SHA-256 of the secret in the cookie. It opens no door, and names the session in lists and logs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionHash([u8; 32]);

impl SessionHash {
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower hex digits.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    pub fn from_hex(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        let pairs = text.as_bytes().chunks_exact(2);
        if text.len() != 64 {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(pairs) {
            *byte = match pair {
                [high, low] => digit(*high)? << 4 | digit(*low)?,
                _ => return None,
            };
        }
        Some(Self(digest))
    }
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Times in milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub hash: SessionHash,
    pub account: AccountId,
    pub tenant: TenantId,
    pub created_at: u64,
    pub last_seen_at: u64,
    /// When the password was given: earlier than `created_at` where a session was renewed.
    pub signed_in_at: u64,
    /// The latest end, however busy it is.
    pub expires_at: u64,
    /// The longest silence.
    pub idle: Duration,
    pub user_agent: String,
    pub address: IpAddr,
}

impl Session {
    /// When it ends if nobody uses it again.
    pub fn ends_at(&self) -> u64 {
        let idle = u64::try_from(self.idle.as_millis()).unwrap_or(u64::MAX);
        self.expires_at.min(self.last_seen_at.saturating_add(idle))
    }

    pub fn is_over(&self, now: u64) -> bool {
        now >= self.ends_at()
    }
}

/// A `User-Agent` as it is kept and shown: no controls, not too long.
pub fn shown_user_agent(sent: &str) -> String {
    let mut kept: String = sent.chars().filter(|c| !c.is_control()).take(LONGEST_USER_AGENT).collect();
    while kept.len() > LONGEST_USER_AGENT {
        kept.pop();
    }
    kept
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    fn session(last_seen_at: u64, idle: Duration, expires_at: u64) -> Session {
        Session {
            hash: SessionHash::new([7; 32]),
            account: AccountId::from_bytes([1; 16]),
            tenant: TenantId::super_tenant(),
            created_at: 0,
            last_seen_at,
            signed_in_at: 0,
            expires_at,
            idle,
            user_agent: String::new(),
            address: Ipv4Addr::LOCALHOST.into(),
        }
    }

    #[test]
    fn a_session_ends_by_silence_or_by_age_whichever_is_first() {
        let minute = Duration::from_mins(1);
        for (last_seen_at, idle, expires_at, ends_at) in [
            (0, minute, 1_000_000, 60_000),
            (990_000, minute, 1_000_000, 1_000_000),
            (0, Duration::MAX, 1_000_000, 1_000_000),
            (u64::MAX, minute, u64::MAX, u64::MAX),
        ] {
            let session = session(last_seen_at, idle, expires_at);
            assert_eq!(session.ends_at(), ends_at);
            assert!(session.is_over(ends_at) && !session.is_over(ends_at - 1));
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
    fn of_a_user_agent_the_beginning_is_kept() {
        assert_eq!(shown_user_agent("Mozilla/5.0\u{1b}[31m\n(X11)"), "Mozilla/5.0[31m(X11)");
        assert_eq!(shown_user_agent(&"a".repeat(9_000)).len(), 255);
        assert!(shown_user_agent(&"ü".repeat(9_000)).len() <= 255);
    }
}
