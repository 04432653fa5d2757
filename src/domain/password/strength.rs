//! Estimates the strength of a password with zxcvbn.

use zxcvbn::zxcvbn;

/// zxcvbn ranks the 30,000 most common passwords (of which 11,600 have 8 or more characters), and estimates
/// the rank as the number of guesses. So fewer guesses than this cover the whole list, and words, names,
/// keyboard rows and years that are as easy to guess.
const COMMON_GUESSES: u64 = 30_001;

/// The cost grows with the square of the length, and a hostile text of 100 characters such as `4@8({[<3`
/// takes a second. If this prefix is hard to guess, so is the whole password.
const MAX_ESTIMATED_CHARS: usize = 48;

pub(super) fn is_common(password: &str) -> bool {
    // "Password" and "PASSWORD" are on the list too
    zxcvbn(&considered(&password.to_lowercase()), &[]).guesses() < COMMON_GUESSES
}

/// The zxcvbn score, from 0 (weakest) to 4.
pub(super) fn score(password: &str, words: &[String]) -> u8 {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    u8::from(zxcvbn(&considered(password), &words).score())
}

fn considered(password: &str) -> String {
    password.chars().take(MAX_ESTIMATED_CHARS).collect()
}
