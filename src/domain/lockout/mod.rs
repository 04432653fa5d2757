//! Lockout: limits failed login attempts.
//!
//! The algorithm is WSO2's account lock: after `N` failures the account is locked for `T`, then for `T·R`, `T·R²`, …
//! A success resets it. Differences: an attempt is *reserved* before the password is verified, so parallel attempts
//! cannot exceed the limit; the duration has a cap; an unlock by an administrator resets the duration. Beside the
//! account, an address, an account at an address and a known device have counters of their own.
//!
//! [`counter_keys`] returns the counters of an attempt, [`reserve`] counts it as failed and locks at the
//! limit. A wrong password needs no further call. [`record_success`] uncounts the attempt and resets the
//! counters; [`release`] uncounts exactly this attempt if its password was not verified.

mod attempt;
pub mod claims;
mod counter;
mod engine;
mod forgiveness;
mod key;
mod management;
pub mod message;
mod nameless;
mod settings;

pub use attempt::{CountedAttempt, counter_keys};
pub use counter::{Counter, LockState, LockedUntil};
pub use engine::{LockoutRefusal, ReservedCounters, SuccessSummary, record_success, release, reserve};
pub use key::{ClientNetwork, CounterKey, DeviceId, LoginSubject, NameHash};
pub use management::{MAX_KNOWN_NETWORKS, bypasses_at_management, management_lockout};
pub use nameless::{of_portal_session, without_name};
pub use settings::{LockoutSettings, LockoutThreshold};

#[cfg(test)]
mod tests;
