//! Where a browser may be sent back to after sign-in: a path on our own origin, read as a browser reads it.

/// A path with query (and nothing else) that every browser resolves to our own origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnAddress(String);

impl ReturnAddress {
    /// `None` when any browser might leave our origin by following it.
    pub fn parse(_written: &str) -> Option<Self> {
        None
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
