//! Parses route patterns.

use super::InvalidRoutePattern;
use crate::domain::path;

/// A parsed pattern.
#[derive(Debug)]
pub(super) struct RoutePattern<'a> {
    pub segments: Vec<Segment<'a>>,
    /// Ends in `**`.
    pub any_rest: bool,
}

impl RoutePattern<'_> {
    /// Whether it matches this path as it is written.
    pub fn matches(&self, path: &str) -> bool {
        let mut path = path.strip_prefix('/').unwrap_or(path).split('/');
        let all = self.segments.iter().all(|segment| match (segment, path.next()) {
            (Segment::Literal(literal), Some(segment)) => *literal == segment,
            (Segment::Any, Some(segment)) => !segment.is_empty(),
            (_, None) => false,
        });
        all && (self.any_rest || path.next().is_none())
    }

    /// Whether the last segment may be the name of a script, such as `/admin.php`: PHP, CGI, ASP.NET and servlet containers
    /// may serve everything below it (`PATH_INFO`, RFC 3875 §4.1.5) as the script itself.
    pub fn names_script(&self) -> bool {
        let mut segments =
            self.segments.iter().rev().skip_while(|segment| matches!(segment, Segment::Literal("")));
        !self.any_rest && matches!(segments.next(), Some(Segment::Literal(last)) if last.contains('.'))
    }

    /// The path of the script in `path` that the pattern names, as a lenient portal reads it; `None`: `path` is not below it.
    pub fn script_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        if !self.names_script() {
            return None;
        }
        let names = self.segments.iter().filter(|segment| !matches!(segment, Segment::Literal(""))).count();
        let (end, _) = path.match_indices('/').nth(names)?;
        path.get(..end)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Segment<'a> {
    /// An empty literal follows a final slash.
    Literal(&'a str),
    Any,
}

/// Reads `GET,HEAD /docs/**` or `/docs/**`: the methods (none: any method) and the pattern, which is checked.
pub fn parse_rule(written: &str) -> Result<(Vec<String>, String), InvalidRoutePattern> {
    let bad = |problem| Err(InvalidRoutePattern::new(written, problem));
    let trimmed = written.trim();
    let (methods, pattern) = match trimmed.split_once([' ', '\t']) {
        Some((methods, pattern)) => (Some(methods), pattern.trim_start()),
        None => (None, trimmed),
    };
    if pattern.contains([' ', '\t']) {
        return bad("write METHODS, one blank and the path; methods are separated by ',' without blanks");
    }
    if !pattern.starts_with('/') {
        return bad("the path has to start with '/'");
    }
    let mut named = Vec::new();
    for method in methods.into_iter().flat_map(|m| m.split(',')) {
        let method = method.to_ascii_uppercase();
        if !is_method(&method) {
            return bad("a method has letters and '-' only, as in GET,HEAD");
        }
        named.push(method);
    }
    parse(pattern)?;
    Ok((named, pattern.to_owned()))
}

/// The common form of patterns that differ in case or a final slash only.
pub fn folded(pattern: &str) -> String {
    let folded = pattern.to_ascii_lowercase();
    match folded.strip_suffix('/') {
        Some("") | None => folded,
        Some(without) => without.to_owned(),
    }
}

/// An example of a path that the pattern matches.
pub fn any_path(pattern: &str) -> String {
    let parts: Vec<_> =
        pattern.split('/').map(|part| if part.starts_with('*') { "-" } else { part }).collect();
    parts.join("/")
}

pub(super) fn is_method(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
}

/// Rejects patterns that can never match a path in normal form.
pub(super) fn parse(written: &str) -> Result<RoutePattern<'_>, InvalidRoutePattern> {
    let bad = |problem| Err(InvalidRoutePattern::new(written, problem));
    let Some(rest) = written.strip_prefix('/') else { return bad("the path has to start with '/'") };
    for byte in rest.bytes() {
        match byte {
            b'?' => return bad("a rule has no query: '?' never matches"),
            b'#' => return bad("a fragment is never sent: '#' never matches"),
            b'%' => return bad("write the character itself or '*', not its encoded form"),
            b';' => return bad("paths with ';' are refused before any rule"),
            b'\\' => return bad("paths with '\\' are refused before any rule"),
            b'{' | b'}' => return bad("write '*' for a segment that varies"),
            b if path::is_tolerated(b) => {
                return bad("write '*' for a segment with '[', ']' or '|': they have two spellings");
            }
            b if !path::is_path_byte(b) => {
                return bad("write '*' for a segment with characters outside ASCII");
            }
            _ => {}
        }
    }
    let mut segments = Vec::new();
    let mut parts = rest.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        segments.push(match part {
            "**" if last => return Ok(RoutePattern { segments, any_rest: true }),
            "**" => return bad("'**' stands for any rest and has to be the end"),
            "*" => Segment::Any,
            "." | ".." => return bad("'.' and '..' are no segments"),
            "" if !last => return bad("'//' never matches"),
            part if part.contains('*') => {
                return bad("'*' stands for a whole segment, not for a part of one");
            }
            part => Segment::Literal(part),
        });
    }
    Ok(RoutePattern { segments, any_rest: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_people_write_them() {
        for (written, methods, pattern) in [
            ("/docs/**", vec![], "/docs/**"),
            ("GET /docs/*", vec!["GET"], "/docs/*"),
            (" get,head  /docs ", vec!["GET", "HEAD"], "/docs"),
            ("M-SEARCH\t/", vec!["M-SEARCH"], "/"),
            ("/**", vec![], "/**"),
        ] {
            let (m, p) = parse_rule(written).unwrap();
            assert_eq!((m, p.as_str()), (methods.into_iter().map(str::to_owned).collect(), pattern));
        }
    }

    #[test]
    fn a_rule_that_could_never_match_is_a_mistake() {
        for (written, hint) in [
            ("", "start with '/'"),
            ("docs", "start with '/'"),
            ("GET", "start with '/'"),
            ("GET docs", "start with '/'"),
            ("https://x.example/docs", "start with '/'"),
            ("GET, HEAD /docs", "without blanks"),
            ("GET,/docs", "start with '/'"),
            ("GET, /docs", "letters"),
            ("G3T /docs", "letters"),
            ("/docs/**/x", "the end"),
            ("/docs*", "whole segment"),
            ("/docs/v*", "whole segment"),
            ("/docs/***", "whole segment"),
            ("/a/../b", "no segments"),
            ("/a/./b", "no segments"),
            ("//a", "'//'"),
            ("/a//b", "'//'"),
            ("/a%20b", "encoded"),
            ("/a?x=1", "query"),
            ("/a#b", "fragment"),
            ("/a;b", "';'"),
            ("/a\\b", "'\\'"),
            ("/apis/{id}", "'*'"),
            ("/müller", "ASCII"),
            ("/a[1]", "two spellings"),
            ("/a|b", "two spellings"),
        ] {
            let problem = parse_rule(written).unwrap_err();
            assert!(problem.problem.contains(hint), "{written:?}: {problem}");
        }
    }
}
