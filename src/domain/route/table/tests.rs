//! The rule that a table finds for a request.

use proptest::prelude::*;

use super::*;
use crate::domain::route::{RouteKind, parse_rule};

fn rule(written: &str) -> RouteRule {
    let (methods, pattern) = parse_rule(written).unwrap();
    RouteRule {
        methods,
        pattern,
        access: AccessLevel::Open,
        kind: RouteKind::Page,
        upgrade: UpgradeRule::Users,
    }
}

fn table(rules: &[&str]) -> RouteTable {
    let rules: Vec<_> = rules.iter().map(|r| rule(r)).collect();
    RouteTable::compile(&rules, Route::fallback(AccessLevel::SignedIn, RouteKind::Page)).unwrap()
}

fn matched(rules: &[&str], request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    table(rules).classify(method, path).rule.to_string()
}

#[test]
fn the_most_specific_rule_wins_segment_by_segment() {
    let rules = ["/**", "/a/**", "/a/*", "/a/b", "/a/*/c", "/*/b", "/a/b/*/d", "/a/", "/"];
    for (path, wins) in [
        ("/", "/"),
        ("/x", "/**"),
        ("/x/b", "/*/b"),
        ("/x/c", "/**"),
        ("/a", "/a/**"),
        ("/a/", "/a/"),
        ("/a/b", "/a/b"),
        ("/a/x", "/a/*"),
        ("/a/x/c", "/a/*/c"),
        // no pattern continues after the literal `b`, so `*` applies
        ("/a/b/c", "/a/*/c"),
        ("/a/b/x/d", "/a/b/*/d"),
        ("/a/b/x/e", "/a/**"),
        ("/a/b/x/d/e", "/a/**"),
        ("/a/b/", "/a/**"),
    ] {
        assert_eq!(matched(&rules, &format!("GET {path}")), wins, "{path}");
    }
}

#[test]
fn a_final_slash_makes_another_path() {
    assert_eq!(matched(&["/a"], "GET /a/"), "(no rule)");
    assert_eq!(matched(&["/a/"], "GET /a"), "(no rule)");
    assert_eq!(matched(&["/a/*"], "GET /a/"), "(no rule)");
    for path in ["/a", "/a/", "/a/b", "/a/b/"] {
        assert_eq!(matched(&["/a/**"], &format!("GET {path}")), "/a/**");
    }
    // whole segments, not characters
    assert_eq!(matched(&["/a/**"], "GET /ab"), "(no rule)");
}

#[test]
fn a_rule_that_names_the_method_wins_over_one_that_does_not() {
    let rules = ["GET /x", "/x", "POST /*", "/y", "GET /y", "HEAD /z", "GET /z", "GET /w"];
    for (request, wins) in [
        ("GET /x", "GET /x"),
        ("HEAD /x", "GET /x"),
        ("PUT /x", "/x"),
        // the pattern is compared before the method
        ("POST /x", "/x"),
        ("POST /q", "POST /*"),
        ("GET /y", "GET /y"),
        ("DELETE /y", "/y"),
        ("HEAD /z", "HEAD /z"),
        ("GET /z", "GET /z"),
        // if the more specific pattern does not name the method, the wider one applies
        ("POST /w", "POST /*"),
        ("PUT /w", "(no rule)"),
        // methods are case-sensitive
        ("get /w", "(no rule)"),
    ] {
        assert_eq!(matched(&rules, request), wins, "{request}");
    }
}

#[test]
fn between_equals_the_later_rule_wins() {
    let closed = RouteRule { access: AccessLevel::SignedIn, ..rule("/a") };
    let fallback = || Route::fallback(AccessLevel::Anonymous, RouteKind::Page);
    let table = RouteTable::compile(&[rule("/a"), closed.clone()], fallback()).unwrap();
    assert_eq!(table.classify("GET", "/a").access, AccessLevel::SignedIn);
    let table = RouteTable::compile(&[closed, rule("/a")], fallback()).unwrap();
    assert_eq!(table.classify("GET", "/a").access, AccessLevel::Open);
}

/// CVE-2025-54576, CVE-2026-41059: a query, a fragment or an encoded `#` never widens a rule.
#[test]
fn matches_the_whole_path_and_nothing_else() {
    for path in ["/admin?x=/public", "/admin%23/public", "/admin/public", "/x/public", "/publicx"] {
        assert_eq!(matched(&["/public/**"], &format!("GET {path}")), "(no rule)", "{path}");
    }
    assert_eq!(matched(&["/public"], "GET /PUBLIC"), "(no rule)");
    assert_eq!(matched(&["/**"], "GET *"), "(no rule)", "not a path");
}

#[test]
fn overlapping_wildcards_are_refused_before_they_cost_memory() {
    let many: Vec<_> = (0..24)
        .map(|literal| {
            let segments: Vec<_> = (0..24).map(|i| if i == literal { "a" } else { "*" }).collect();
            rule(&format!("/{}", segments.join("/")))
        })
        .collect();
    let problem =
        RouteTable::compile(&many, Route::fallback(AccessLevel::SignedIn, RouteKind::Page)).unwrap_err();
    assert!(problem.problem.contains("overlap"), "{problem}");
}

#[test]
fn a_thousand_rules_are_fine() {
    let rules: Vec<_> = (0..1000).map(|i| rule(&format!("GET /docs/{i}/*/page"))).collect();
    let table = RouteTable::compile(&rules, Route::fallback(AccessLevel::SignedIn, RouteKind::Page)).unwrap();
    assert_eq!(&*table.classify("GET", "/docs/777/x/page").rule, "GET /docs/777/*/page");
    assert_eq!(table.classify("GET", "/docs/1000/x/page").access, AccessLevel::SignedIn);
}

/// The reference: evaluates the rules one by one, as documented above.
fn naive<'r>(rules: &'r [RouteRule], method: &str, path: &str) -> Option<&'r RouteRule> {
    // one class for each segment of the path that a pattern segment covers; smaller is more specific
    fn specificity(pattern: &str, path: &str) -> Option<Vec<u8>> {
        let path: Vec<_> = path.strip_prefix('/')?.split('/').collect();
        let pattern: Vec<_> = pattern.strip_prefix('/')?.split('/').collect();
        let mut classes = Vec::new();
        for (at, segment) in pattern.iter().enumerate() {
            match (*segment, path.get(at)) {
                ("**", _) => {
                    classes.push(2);
                    return Some(classes);
                }
                ("*", Some(s)) if !s.is_empty() => classes.push(1),
                (literal, Some(s)) if literal == *s => classes.push(0),
                _ => return None,
            }
        }
        (pattern.len() == path.len()).then_some(classes)
    }
    let mut best: Option<(Vec<u8>, u8, std::cmp::Reverse<usize>)> = None;
    let mut found = None;
    for (at, rule) in rules.iter().enumerate() {
        let Some(classes) = specificity(&rule.pattern, path) else { continue };
        let names = |m: &str| rule.methods.iter().any(|known| known == m);
        let method_class = match () {
            () if names(method) => 0,
            () if method == "HEAD" && names("GET") => 1,
            () if rule.methods.is_empty() => 2,
            () => continue,
        };
        let key = (classes, method_class, std::cmp::Reverse(at));
        if best.as_ref().is_none_or(|b| key < *b) {
            best = Some(key);
            found = Some(rule);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_table_answers_as_the_rules_read(
        rules in prop::collection::vec(
            (prop::sample::select(vec!["", "GET ", "HEAD ", "POST ", "GET,POST ", "HEAD,GET "]),
             prop::collection::vec(prop::sample::select(vec!["a", "b", "*"]), 0..4),
             prop::sample::select(vec!["", "/", "/**"])), 0..10),
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT"]),
        path in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..5),
        slash in any::<bool>(),
    ) {
        let rules: Vec<_> = rules.iter().map(|(methods, segments, end)| {
            let mut pattern: String = segments.iter().flat_map(|s| ["/", s]).collect();
            pattern.push_str(end);
            if pattern.is_empty() { pattern.push('/'); }
            rule(&format!("{methods}{pattern}"))
        }).collect();
        let mut path: String = path.iter().flat_map(|s| ["/", s]).collect();
        if slash || path.is_empty() { path.push('/'); }
        let table = RouteTable::compile(&rules, Route::fallback(AccessLevel::SignedIn, RouteKind::Page)).unwrap();
        let expected = naive(&rules, method, &path).map_or("(no rule)".to_owned(), ToString::to_string);
        prop_assert_eq!(&*table.classify(method, &path).rule, expected, "{} {}", method, path);
    }
}
