//! How soon a password is guessed, by zxcvbn's estimate.

use zxcvbn::zxcvbn;

/// zxcvbn ranks the 30,000 most common passwords (of which 11,600 have 8 characters and more), and a password found in
/// that list needs as many guesses as its rank. So fewer guesses than this stand for the whole list, and for words,
/// names, rows of keys and years that are guessed as soon.
const COMMON: u64 = 30_001;

/// The cost grows with the square of the length, and a hostile text of 100 characters such as `4@8({[<3` takes a second.
/// What begins with this many characters that are hard to guess is hard to guess.
const CONSIDERED: usize = 48;

pub(super) fn is_common(password: &str) -> bool {
    // "Password" and "PASSWORD" are on the list too
    zxcvbn(&considered(&password.to_lowercase()), &[]).guesses() < COMMON
}

/// From 0, guessed at once, to 4.
pub(super) fn score(password: &str, words: &[String]) -> u8 {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    u8::from(zxcvbn(&considered(password), &words).score())
}

fn considered(password: &str) -> String {
    password.chars().take(CONSIDERED).collect()
}
