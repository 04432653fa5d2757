//! An operator's pattern, which a whole password has to match. It is written in Java's syntax, as WSO2 has it.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use fancy_regex::{CompileError, Error, Regex, RegexBuilder};

use super::{effort, java};

/// WSO2's own, which also stands for a blank one.
pub const WSO2_PATTERN: &str = r"^((?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#$%&*])).{0,100}$";

/// In characters.
pub const LONGEST_PATTERN: usize = 512;

/// Look-ahead needs an engine that backtracks, and goes round loops in which nothing is read: it looks at so many characters
/// on one way through a pattern.
const MOST_WORK: u64 = 5_000_000;
/// Bytes of the compiled pattern. The engine compiles what is between look-aheads, groups and alternatives piece by piece; each
/// gets an equal part.
const LARGEST: usize = 2 * 1024 * 1024;
const MOST_INSTRUCTIONS: usize = 20_000;

/// Compiled for the first password it has to match: most deployments keep none.
static WSO2: LazyLock<Result<Regex, BadPattern>> = LazyLock::new(|| build(WSO2_PATTERN));

/// Equal when written alike. Cheap to clone.
#[derive(Clone)]
pub struct Pattern {
    source: Arc<str>,
    /// None: WSO2's own.
    regex: Option<Arc<Regex>>,
}

/// Why a pattern cannot be taken, for the one who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error("the pattern has {0} characters; {LONGEST_PATTERN} are possible")]
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

/// The engine gave up on a password. What that says about the password is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern takes too long to apply")]
pub struct Misfired;

#[cfg(test)]
thread_local! {
    /// How often this test has compiled one.
    pub static COMPILED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Pattern {
    pub fn compile(written: &str) -> Result<Self, BadPattern> {
        if written.trim().is_empty() || written == WSO2_PATTERN {
            return Ok(Self::wso2());
        }
        let length = written.chars().count();
        if length > LONGEST_PATTERN {
            return Err(BadPattern::TooLong(length));
        }
        Ok(Self { source: written.into(), regex: Some(Arc::new(build(written)?)) })
    }

    pub fn wso2() -> Self {
        Self { source: WSO2_PATTERN.into(), regex: None }
    }

    /// As it was written, or WSO2's.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn matches(&self, password: &str) -> Result<bool, Misfired> {
        let regex = match &self.regex {
            Some(regex) => regex,
            None => WSO2.as_ref().map_err(|_| Misfired)?,
        };
        regex.is_match(password).map_err(|_| Misfired)
    }
}

fn build(source: &str) -> Result<Regex, BadPattern> {
    #[cfg(test)]
    COMPILED.set(COMPILED.get() + 1);
    let whole = format!(r"\A(?:{})\z", java::translate(source)?);
    let work = effort::work(&whole);
    if work > MOST_WORK {
        return Err(BadPattern::TooLarge);
    }
    let largest = LARGEST / most_pieces(&whole);
    RegexBuilder::new(&whole)
        .backtrack_limit(effort::backtracks(work))
        .delegate_size_limit(largest)
        .delegate_dfa_size_limit(largest)
        .max_prog_size(MOST_INSTRUCTIONS)
        .build()
        .map_err(|problem| why(&problem))
}

fn why(problem: &Error) -> BadPattern {
    let error = match problem {
        // where it is counts in the engine's words, not in those of the one who wrote it
        Error::ParseError(_, what) => return BadPattern::Invalid(what.to_string()),
        Error::CompileError(error) => error,
        _ => return BadPattern::Invalid(problem.to_string()),
    };
    match &**error {
        CompileError::InnerError(inner) if inner.size_limit().is_some() => BadPattern::TooLarge,
        CompileError::PatternTooComplex => BadPattern::TooLarge,
        _ => BadPattern::Invalid(problem.to_string()),
    }
}

/// No fewer than the engine makes: a new one begins at the earliest after one of these characters, or at a back reference
/// or a possessive quantifier.
fn most_pieces(pattern: &str) -> usize {
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

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.source)
    }
}
