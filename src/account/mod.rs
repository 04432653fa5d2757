//! Accounts at work: what happens when somebody signs in, changes a password, or is locked by an administrator.

pub mod breached;
pub mod hashing;
