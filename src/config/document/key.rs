//! The path of a value: `portal.upstream[0].url`.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStep {
    Name(String),
    Index(usize),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPath(Vec<KeyStep>);

impl KeyPath {
    pub fn root() -> Self {
        Self::default()
    }

    pub fn of(steps: &[KeyStep]) -> Self {
        Self(steps.to_vec())
    }

    #[must_use]
    pub fn name(&self, name: &str) -> Self {
        self.then(KeyStep::Name(name.to_owned()))
    }

    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        self.then(KeyStep::Index(index))
    }

    #[must_use]
    pub fn then(&self, step: KeyStep) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub fn steps(&self) -> &[KeyStep] {
        &self.0
    }

    /// Whether `other` is this key or lies below it.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                KeyStep::Index(index) => write!(f, "[{index}]")?,
                KeyStep::Name(name) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
                    if !name.is_empty() && name.bytes().all(bare) {
                        f.write_str(name)?;
                    } else {
                        write!(f, "{name:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_like_toml() {
        let key = KeyPath::root().name("portal").name("upstream").item(0).name("url");
        assert_eq!(key.to_string(), "portal.upstream[0].url");
        assert_eq!(
            KeyPath::root().name("tenancy").name("hosts").name("a.b").to_string(),
            "tenancy.hosts.\"a.b\""
        );
    }

    #[test]
    fn a_table_covers_only_its_own_keys() {
        let table = KeyPath::root().name("server");
        assert!(table.covers(&table.name("listen")));
        assert!(!table.name("listen").covers(&table));
        assert!(!table.covers(&KeyPath::root().name("admin")));
    }
}
