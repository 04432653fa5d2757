//! A password on its way from a form to a hash. It prints nothing and leaves nothing behind in memory.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use zeroize::Zeroizing;

/// More than any password policy allows: whatever is longer is verified against nothing.
const LONGEST: usize = 4096;

#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// As it was typed.
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
        self.0.len() > LONGEST
    }

    /// In the one form keyboards do not differ in (NFC, as NIST SP 800-63B asks for): this is what we hash.
    pub(in crate::account) fn normal(&self) -> Zeroizing<String> {
        if is_nfc(&self.0) { self.0.clone() } else { Zeroizing::new(self.0.nfc().collect()) }
    }

    /// How many spellings there are: as many hashes of another system may have to be compared.
    pub(super) fn ways(&self) -> u32 {
        if is_nfc(&self.0) { 1 } else { 2 }
    }

    /// The normal form, and what was typed if that differs: another system may have hashed it so.
    pub(super) fn spellings(&self) -> impl Iterator<Item = Zeroizing<String>> {
        let typed = (!is_nfc(&self.0)).then(|| self.0.clone());
        std::iter::once(self.normal()).chain(typed)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}
