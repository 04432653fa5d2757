//! A regular expression that must match the whole text, in Java's syntax as in WSO2.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use fancy_regex::{CompileError, Error, Regex, RegexBuilder};

use super::{java, pattern_cost};

/// WSO2's default pattern, which also replaces a blank one.
pub const WSO2_PATTERN: &str = r"^((?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#$%&*])).{0,100}$";

/// In characters.
pub const MAX_PATTERN_CHARS: usize = 512;

/// Limit for the work of one pass. Lookahead needs a backtracking engine, which also iterates loops that
/// consume nothing.
const MAX_WORK: u64 = 5_000_000;
/// Maximum size of a compiled pattern in bytes. The engine compiles the parts between lookaheads, groups
/// and alternatives separately; each part gets an equal share.
const MAX_COMPILED_BYTES: usize = 2 * 1024 * 1024;
const MAX_INSTRUCTIONS: usize = 20_000;

/// Compiled on first use: most deployments store no passwords.
static WSO2: LazyLock<Result<Regex, InvalidJavaPattern>> = LazyLock::new(|| build(WSO2_PATTERN));

/// Equal when written alike. Cheap to clone.
#[derive(Clone)]
pub struct JavaPattern {
    source: Arc<str>,
    /// `None`: WSO2's default pattern.
    regex: Option<Arc<Regex>>,
}

/// Why a pattern is rejected, for the operator who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJavaPattern {
    #[error("the pattern has {0} characters; {MAX_PATTERN_CHARS} are possible")]
    TooLong(usize),
    #[error("the placeholder {0} is not filled in here: write its value")]
    Placeholder(String),
    #[error("{what} at character {at} is not supported: {instead}")]
    Unsupported { what: String, at: usize, instead: &'static str },
    #[error(
        "the pattern gets too large when it is compiled: write smaller repetitions, such as .{{0,100}}, or fewer letters of \
         all scripts, such as \\p{{L}}; length has settings of its own"
    )]
    TooLarge,
    #[error("the pattern cannot be read: {0}")]
    Invalid(String),
}

/// The engine exceeded a limit. The password was neither accepted nor rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern takes too long to apply")]
pub struct PatternTimeout;

#[cfg(test)]
thread_local! {
    /// Number of patterns that this test has compiled.
    pub static COMPILED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl JavaPattern {
    pub fn compile(written: &str) -> Result<Self, InvalidJavaPattern> {
        if written.trim().is_empty() || written == WSO2_PATTERN {
            return Ok(Self::wso2());
        }
        let length = written.chars().count();
        if length > MAX_PATTERN_CHARS {
            return Err(InvalidJavaPattern::TooLong(length));
        }
        Ok(Self { source: written.into(), regex: Some(Arc::new(build(written)?)) })
    }

    pub fn wso2() -> Self {
        Self { source: WSO2_PATTERN.into(), regex: None }
    }

    /// The pattern as written, or WSO2's.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn matches(&self, password: &str) -> Result<bool, PatternTimeout> {
        let regex = match &self.regex {
            Some(regex) => regex,
            None => WSO2.as_ref().map_err(|_| PatternTimeout)?,
        };
        regex.is_match(password).map_err(|_| PatternTimeout)
    }
}

fn build(source: &str) -> Result<Regex, InvalidJavaPattern> {
    #[cfg(test)]
    COMPILED.set(COMPILED.get() + 1);
    let whole = format!(r"\A(?:{})\z", java::translate(source)?);
    let work = pattern_cost::work(&whole);
    if work > MAX_WORK {
        return Err(InvalidJavaPattern::TooLarge);
    }
    let largest = MAX_COMPILED_BYTES / max_pieces(&whole);
    RegexBuilder::new(&whole)
        .backtrack_limit(pattern_cost::backtrack_limit(work))
        .delegate_size_limit(largest)
        .delegate_dfa_size_limit(largest)
        .max_prog_size(MAX_INSTRUCTIONS)
        .build()
        .map_err(|problem| compile_error(&problem))
}

fn compile_error(problem: &Error) -> InvalidJavaPattern {
    let error = match problem {
        // the position refers to the translated pattern, not to the original
        Error::ParseError(_, what) => return InvalidJavaPattern::Invalid(what.to_string()),
        Error::CompileError(error) => error,
        _ => return InvalidJavaPattern::Invalid(problem.to_string()),
    };
    match &**error {
        CompileError::InnerError(inner) if inner.size_limit().is_some() => InvalidJavaPattern::TooLarge,
        CompileError::PatternTooComplex => InvalidJavaPattern::TooLarge,
        _ => InvalidJavaPattern::Invalid(problem.to_string()),
    }
}

/// An upper bound of the engine's parts: a new one begins at the earliest after one of these characters, or
/// at a back reference or a possessive quantifier.
fn max_pieces(pattern: &str) -> usize {
    let mut pieces = 1;
    let mut before = ' ';
    for c in pattern.chars() {
        pieces += match c {
            '(' | '|' => 1,
            ')' if before != '(' => 1,
            '+' if matches!(before, '+' | '*' | '?' | '}') => 1,
            '1'..='9' | 'k' if before == '\\' => 1,
            _ => 0,
        };
        before = c;
    }
    pieces
}

impl PartialEq for JavaPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for JavaPattern {}

impl fmt::Debug for JavaPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.source)
    }
}
