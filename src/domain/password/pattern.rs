//! stub
pub const WSO2_PATTERN: &str = r"^((?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#$%&*])).{0,100}$";
pub const LONGEST_PATTERN: usize = 1000;
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad")]
pub struct BadPattern;
impl Pattern {
    pub fn compile(s: &str) -> Result<Self, BadPattern> {
        if s == "(" { Err(BadPattern) } else { Ok(Self(s.to_owned())) }
    }
    pub fn source(&self) -> &str {
        &self.0
    }
    pub fn matches(&self, _: &str) -> Result<bool, BadPattern> {
        Ok(true)
    }
}
