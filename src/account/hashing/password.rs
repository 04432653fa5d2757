//! A plaintext password between the form and the hash. `Debug` does not print it, and its memory is zeroed.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use zeroize::Zeroizing;

/// Longer than any policy allows: a longer password matches no hash.
const MAX_PASSWORD_BYTES: usize = 4096;

#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The password as entered.
    pub fn new(typed: impl Into<String>) -> Self {
        Self(Zeroizing::new(typed.into()))
    }

    /// For the rules of the password policy.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.0.len() > MAX_PASSWORD_BYTES
    }

    /// In NFC, as NIST SP 800-63B requires, because keyboards produce different forms: this form is hashed.
    pub(in crate::account) fn normalized(&self) -> Zeroizing<String> {
        if is_nfc(&self.0) { self.0.clone() } else { Zeroizing::new(self.0.nfc().collect()) }
    }

    /// The number of spellings, and so of foreign hashes to compare at most.
    pub(super) fn spelling_count(&self) -> u32 {
        if is_nfc(&self.0) { 1 } else { 2 }
    }

    /// The normal form, and the original if it differs: another system may have hashed that.
    pub(super) fn spellings(&self) -> impl Iterator<Item = Zeroizing<String>> {
        let typed = (!is_nfc(&self.0)).then(|| self.0.clone());
        std::iter::once(self.normalized()).chain(typed)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}
