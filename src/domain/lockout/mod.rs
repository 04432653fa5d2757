//! Lockout: how many wrong guesses are too many, and for how long.
//!
//! The algorithm is WSO2's account lock: after `N` failures the account is locked for `T`, then for `T·R`, `T·R²`, …
//! A success starts it all over. What is mended: an attempt is *reserved* before the password is verified, so
//! parallel guesses cannot overrun the limit; the duration has a cap; an unlock by an administrator resets the ladder.
//! Beside the account, an address, an account at an address and a known device have counters of their own.
//!
//! An attempt: [`keys`] says which counters it touches, [`reserve`] counts it as failed and locks at the limit. A wrong
//! password needs nothing more. [`succeed`] takes the failure back and resets; [`cancel`] undoes exactly this one, for
//! an attempt that was never verified.

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

pub use attempt::{Attempt, keys};
pub use counter::{Counter, Lock, MAX_MILLIS};
pub use engine::{Refused, Reserved, Success, cancel, reserve, succeed, succeed_among};
pub use key::{ClientNet, CounterKey, DeviceId, NameHash, UNKNOWN_NAMES, Who};
pub use management::{MAX_KNOWN_NETWORKS, at_management, bypasses_at_management};
pub use nameless::{of_portal_session, without_name};
pub use settings::{LockoutSettings, Threshold};

#[cfg(test)]
mod tests;
