//! Password patterns in Java's syntax.

use crate::domain::password::{
    InvalidJavaPattern, JavaPattern, MAX_CHARACTERS, MAX_PATTERN_CHARS, WSO2_PATTERN,
};

/// The first line of the input is a pattern, and the rest a password.
///
/// - A pattern is bounded in length, and is the same pattern when it is compiled again.
/// - The whole password has to match: a group around the pattern changes nothing.
/// - A pattern of letters and digits, and a quoted text, match themselves alone.
pub fn password_pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (written, password) = text.split_once('\n').unwrap_or((text, ""));
    let password: String = password.chars().take(MAX_CHARACTERS as usize).collect();
    quoted_matches_itself_alone(&password);

    let length = written.chars().count();
    let compiled = JavaPattern::compile(written);
    let is_too_long = matches!(compiled, Err(InvalidJavaPattern::TooLong(_)));
    let is_default = written.trim().is_empty() || written == WSO2_PATTERN;
    assert_eq!(is_too_long, length > MAX_PATTERN_CHARS && !is_default, "{length} characters");
    let Ok(pattern) = compiled else { return };
    assert_eq!(pattern.source(), if is_default { WSO2_PATTERN } else { written });
    assert_eq!(JavaPattern::compile(pattern.source()).as_ref(), Ok(&pattern), "compiled again");
    let matched = pattern.matches(&password);
    assert_eq!(pattern.matches(&password), matched, "another answer for the same password");
    if written.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !is_default {
        assert_eq!(matched, Ok(password == written), "{written}");
    }
    // in a group the engine has more to do, and may give up
    if let Ok(group) = JavaPattern::compile(&format!("(?:{})", pattern.source()))
        && let (Ok(matched), Ok(in_group)) = (matched, group.matches(&password))
    {
        assert_eq!(in_group, matched, "{written:?} and {password:?}: a part is enough");
    }
}

fn quoted_matches_itself_alone(text: &str) {
    if text.contains('\\') || text.trim().is_empty() {
        return;
    }
    if let Ok(pattern) = JavaPattern::compile(&format!(r"\Q{text}\E")) {
        assert_eq!(pattern.matches(text), Ok(true), "{text:?}");
        assert_eq!(pattern.matches(&format!("{text}x")), Ok(false), "{text:?}");
        assert_eq!(pattern.matches(""), Ok(false), "{text:?}");
    }
}
