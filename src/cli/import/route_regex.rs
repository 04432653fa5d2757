//! Regular expressions over paths, as oauth2-proxy and Authelia write them, as patterns of `[[access.route]]`.

/// The pattern for an expression, and how the two differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertedPattern {
    pub pattern: String,
    /// The pattern matches every path that the expression matches.
    pub is_complete: bool,
}

impl ConvertedPattern {
    /// Every path.
    pub fn all() -> Self {
        Self { pattern: "/**".to_owned(), is_complete: true }
    }

    /// Whether every path of `other` is a path of this one.
    pub fn covers(&self, other: &Self) -> bool {
        let base = |pattern: &str| pattern.trim_end_matches("/**").to_ascii_lowercase();
        let (own, others) = (base(&self.pattern), base(&other.pattern));
        if self.pattern.ends_with("/**") {
            others == own || others.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'))
        } else {
            self.pattern.eq_ignore_ascii_case(&other.pattern)
        }
    }
}

/// Forms that end an expression which covers a path and all below it.
const WITH_ALL_BELOW: [&str; 6] = ["(/.*)?$", "([/?].*)?$", "(/|$)", "(/.*|$)", "($|/)", "(/|$).*"];

/// `None` if the expression is none of the usual forms: literal text from `^/` on, then an end.
pub fn convert(expression: &str) -> Option<ConvertedPattern> {
    let rest = expression.strip_prefix('^')?;
    let (path, end, is_literal) = literal(rest);
    if !path.starts_with('/') {
        return None;
    }
    let below = |path: &str| format!("{}/**", path.trim_end_matches('/'));
    let converted = |pattern: String, is_complete: bool| {
        // `**` and `*` have a meaning in patterns, and `?` ends a path
        Some(ConvertedPattern { pattern, is_complete: is_complete && is_literal })
    };
    match end {
        "$" => converted(path, true),
        "" | ".*" | ".*$" => {
            let is_complete = path.ends_with('/');
            converted(below(&path), is_complete)
        }
        end if WITH_ALL_BELOW.contains(&end) && !path.ends_with('/') => converted(below(&path), true),
        _ => None,
    }
}

/// The literal beginning, the rest, and whether an unescaped `.` in it was taken for a dot.
fn literal(expression: &str) -> (String, &str, bool) {
    let mut path = String::new();
    let mut is_literal = true;
    let mut rest = expression;
    loop {
        let mut chars = rest.chars();
        let (taken, after) = match chars.next() {
            Some('\\') => match chars.next() {
                Some(c) if !c.is_alphanumeric() => (c, chars.as_str()),
                _ => break,
            },
            Some('.') if !chars.as_str().starts_with(['*', '+', '?', '{']) => {
                is_literal = false;
                ('.', chars.as_str())
            }
            Some(c) if c.is_ascii_alphanumeric() || "/_-~@:,!=&".contains(c) => (c, chars.as_str()),
            _ => break,
        };
        // a quantifier belongs to the character before it
        if after.starts_with(['*', '+', '?', '{']) {
            break;
        }
        path.push(taken);
        rest = after;
    }
    (path, rest, is_literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_the_usual_forms() {
        for (expression, pattern, is_complete) in [
            ("^/$", "/", true),
            ("^/", "/**", true),
            ("^/.*", "/**", true),
            ("^/ping$", "/ping", true),
            ("^/docs/", "/docs/**", true),
            ("^/docs/.*$", "/docs/**", true),
            ("^/docs([/?].*)?$", "/docs/**", true),
            ("^/docs(/.*)?$", "/docs/**", true),
            ("^/docs(/|$)", "/docs/**", true),
            // also matches /docs2
            ("^/docs", "/docs/**", false),
            ("^/docs.*$", "/docs/**", false),
            (r"^/robots\.txt$", "/robots.txt", true),
            (r"^\/api\/v1\/", "/api/v1/**", true),
            // also matches /robots-txt
            ("^/robots.txt$", "/robots.txt", false),
        ] {
            let expected = ConvertedPattern { pattern: pattern.to_owned(), is_complete };
            assert_eq!(convert(expression), Some(expected), "{expression}");
        }
    }

    #[test]
    fn leaves_every_other_form() {
        for expression in [
            "",
            "/docs",
            ".*",
            "^",
            "^.*$",
            "docs$",
            "^/(a|b)$",
            "^/a+$",
            "^/docs/?$",
            r"^/\d+$",
            "^/a[bc]",
            "^/a{2}",
            "^/x.+",
            "(?i)^/a",
            r"^/a\b",
            "^/a|^/b",
        ] {
            assert_eq!(convert(expression), None, "{expression}");
        }
    }

    #[test]
    fn covers_whole_segments() {
        let pattern = |text: &str| ConvertedPattern { pattern: text.to_owned(), is_complete: true };
        for (wide, narrow, expected) in [
            ("/**", "/docs/**", true),
            ("/**", "/", true),
            ("/docs/**", "/docs", true),
            ("/docs/**", "/Docs/a/**", true),
            ("/docs/**", "/docs2", false),
            ("/docs", "/docs/**", false),
            ("/docs", "/docs", true),
        ] {
            assert_eq!(pattern(wide).covers(&pattern(narrow)), expected, "{wide} {narrow}");
        }
    }
}
