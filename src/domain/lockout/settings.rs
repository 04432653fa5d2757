//! Settings of the lockout: WSO2's four values, and Doorward's additions.

use core::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::client::ClientAddress;

/// The built-in defaults are WSO2's: counting is off; if it is on, 5 attempts, 5 minutes, factor 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockoutSettings {
    /// Whether failures of a name are counted. An existing lock applies even if this is off.
    pub enabled: bool,
    /// `N`: the failure with this number locks. Zero counts as one.
    pub max_attempts: u32,
    /// `T`: how long the first lock lasts. Zero: until an administrator unlocks.
    pub time: Duration,
    /// `R`: each further lock in a row lasts this many times as long as the one before. Zero counts as one.
    pub ratio: u32,
    /// No lock lasts longer. Zero: no cap.
    pub max_duration: Duration,
    /// This many locks in a row, and the last holds until an administrator unlocks. Zero: never.
    pub max_lockouts: u32,
    /// One address (IPv6: its /64), for all names.
    pub address: Option<LockoutThreshold>,
    /// One name from one address.
    pub account_and_address: Option<LockoutThreshold>,
    /// A device that has signed in with this name before. It is counted separately, so that attackers on
    /// other devices cannot lock out the owner there.
    pub device: Option<LockoutThreshold>,
    /// Networks without address counters: an office with one public address, a health check.
    pub exempt_networks: Vec<IpNet>,
    /// Accounts with this role are counted but never locked (WSO2: `Internal/system`). Empty: no role.
    pub bypass_role: String,
    /// Whether the response discloses that the account is locked.
    pub discloses_locks: bool,
}

/// A counter that many clients share locks after this multiple of `max_attempts` failures.
const SHARED_FACTOR: u32 = 10;
/// The time within which these failures count, and the duration of the lock.
const SHARED_WINDOW: Duration = Duration::from_hours(1);

/// A lock of fixed duration after a number of failures within a window: an address may have many users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutThreshold {
    /// Zero counts as one.
    pub max_attempts: u32,
    /// Failures are forgotten this long after the first of them. Zero: only a success forgets them.
    pub window: Duration,
    /// Zero: until an administrator unlocks.
    pub time: Duration,
}

impl Default for LockoutSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            max_attempts: 5,
            time: Duration::from_mins(5),
            ratio: 2,
            max_duration: Duration::from_hours(24),
            max_lockouts: 0,
            address: None,
            account_and_address: None,
            device: None,
            exempt_networks: Vec::new(),
            bypass_role: "Internal/system".to_owned(),
            discloses_locks: false,
        }
    }
}

impl LockoutSettings {
    pub fn is_bypassed_by(&self, roles: &[String]) -> bool {
        !self.bypass_role.is_empty() && roles.contains(&self.bypass_role)
    }

    /// Whether an attempt counts for its address. All clients of an unlisted proxy have one address, and one of them
    /// could lock out all others; there the counter of the name has to suffice, where it is enabled.
    pub fn counts_address(&self, address: ClientAddress, bypass: bool) -> bool {
        !address.is_unlisted_proxy || bypass || !self.enabled
    }

    /// The threshold of a counter that many clients share: high enough for an office behind one address, and low enough that
    /// distributed guesses are bounded.
    pub(super) fn shared_threshold(&self) -> LockoutThreshold {
        let max_attempts = self.max_attempts.max(1).saturating_mul(SHARED_FACTOR);
        LockoutThreshold { max_attempts, window: SHARED_WINDOW, time: SHARED_WINDOW }
    }

    /// The threshold of a portal session. It is above that of a name, so that an unlocked name can be used again in the
    /// session.
    pub(super) fn portal_session_threshold(&self) -> LockoutThreshold {
        let max_attempts = self.max_attempts.max(1).saturating_mul(2);
        LockoutThreshold { max_attempts, window: SHARED_WINDOW, time: SHARED_WINDOW }
    }

    /// Whether portal sessions with a name are limited for the address. Behind a proxy that is not listed one client would use up the
    /// share of all others; in `allow` an administrator lists networks with many users behind one address.
    pub fn limits_portal_sessions(&self, address: ClientAddress) -> bool {
        !address.is_unlisted_proxy && !self.exempts(address.ip)
    }

    pub(super) fn exempts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.exempt_networks.iter().any(|net| net.contains(&address))
    }

    /// `T·R^L`, at most the cap, in whole milliseconds; `None`: until an administrator unlocks.
    pub(super) fn lock_duration(&self, lockouts: u32) -> Option<Duration> {
        let last = self.max_lockouts > 0 && lockouts.saturating_add(1) >= self.max_lockouts;
        if self.time.is_zero() || last {
            return None;
        }
        let factor = u128::from(self.ratio.max(1)).saturating_pow(lockouts);
        let grown = self.time.as_millis().max(1).saturating_mul(factor);
        let cap = if self.max_duration.is_zero() { u128::MAX } else { self.max_duration.as_millis().max(1) };
        Some(Duration::from_millis(u64::try_from(grown.min(cap)).unwrap_or(u64::MAX)))
    }
}
