//! The message for a password that a pattern rejects, derived from the pattern.

/// The requirements of a pattern in words, if it consists of look-aheads for characters and a length, as WSO2's does; otherwise
/// the pattern itself.
pub fn message(pattern: &str) -> String {
    match requirements(pattern).as_deref() {
        Some([requirements @ .., last]) if !requirements.is_empty() => {
            format!("Password must have {} and {last}", requirements.join(", "))
        }
        Some([only]) => format!("Password must have {only}"),
        _ => format!("Password does not match the pattern {pattern}"),
    }
}

fn requirements(pattern: &str) -> Option<Vec<String>> {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    // WSO2 writes its look-aheads as one group
    let (mut heads, tail) = match pattern.strip_prefix('(').filter(|rest| rest.starts_with("(?=")) {
        Some(rest) => {
            let end = rest.rfind("))")?;
            (rest.get(..=end)?, rest.get(end + 2..)?)
        }
        None => pattern.split_at(pattern.rfind(')').map_or(0, |end| end + 1)),
    };
    let mut requirements = Vec::new();
    while let Some(rest) = heads.strip_prefix("(?=.*") {
        let (class, after) = character_class(rest)?;
        requirements.push(class);
        heads = after.strip_prefix(')')?;
    }
    if !heads.is_empty() {
        return None;
    }
    requirements.extend(length(tail)?);
    Some(requirements)
}

/// `[a-z]` or `\d`, in words, and what follows it.
fn character_class(text: &str) -> Option<(String, &str)> {
    for (class, words) in [
        (r"\d", "a digit"),
        ("[0-9]", "a digit"),
        ("[a-z]", "a lower-case letter"),
        ("[A-Z]", "an upper-case letter"),
        ("[a-zA-Z]", "a letter"),
        ("[A-Za-z]", "a letter"),
        (r"\W", "a special character"),
        (r"[\W_]", "a special character"),
        ("[^a-zA-Z0-9]", "a special character"),
        ("[^A-Za-z0-9]", "a special character"),
        (r"[^\w]", "a special character"),
    ] {
        if let Some(rest) = text.strip_prefix(class) {
            return Some((words.to_owned(), rest));
        }
    }
    let (characters, rest) = text.strip_prefix('[')?.split_once(']')?;
    // a range, a negation or an escape is no list of characters
    let is_list = !characters.is_empty() && !characters.contains(['-', '^', '\\', '[']);
    is_list.then(|| (format!("one of {characters}"), rest))
}

/// `.{8,100}`: at least and at most so many characters.
fn length(text: &str) -> Option<Vec<String>> {
    let counts = match text.strip_prefix('.')? {
        "*" | "+" => return Some(Vec::new()),
        braces => braces.strip_prefix('{')?.strip_suffix('}')?,
    };
    let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
    let least: u32 = least.parse().ok()?;
    let most: Option<u32> = if most.is_empty() { None } else { Some(most.parse().ok()?) };
    let mut words = Vec::new();
    if least > 0 {
        words.push(format!("at least {least} characters"));
    }
    words.extend(most.map(|most| format!("at most {most} characters")));
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_patterns_of_look_aheads_and_length() {
        for (pattern, expected) in [
            (
                r"^(?=.*\d)(?=.*[a-z]).{8,}$",
                "Password must have a digit, a lower-case letter and at least 8 characters",
            ),
            ("(?=.*[!?]).*", "Password must have one of !?"),
            (
                r"^((?=.*\d)(?=.*[A-Z])(?=.*[#+])).{0,30}$",
                "Password must have a digit, an upper-case letter, one of #+ and at most 30 characters",
            ),
            (".{12}", "Password must have at least 12 characters and at most 12 characters"),
            (r"^(?=.*[\W_]).+$", "Password must have a special character"),
        ] {
            assert_eq!(message(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn shows_a_pattern_that_it_cannot_describe() {
        for pattern in [
            "[0-9]+",
            "",
            "^(?=.*[a-f]).*$",
            "(?!.*x).*",
            "((a)(b)).*",
            "((?=.*x",
            "^(?=.*\\d)[a-z]{8,}$",
            ".{,8}",
            "a)",
            "(?=.*\\d",
        ] {
            assert_eq!(message(pattern), format!("Password does not match the pattern {pattern}"));
        }
    }
}
