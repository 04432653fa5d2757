//! Accounts: who can sign in at Doorward's own doors.

use std::{fmt, sync::Arc};

/// An account's one name that never changes: 32 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account id has 32 lower-case hexadecimal digits")]
pub struct BadAccountId;

impl AccountId {
    pub fn parse(text: &str) -> Result<Self, BadAccountId> {
        let digit = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(digit) { Ok(Self(text.into())) } else { Err(BadAccountId) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
