//! Properties: the table answers as its rules do one by one, and no spelling or reading opens what the path does not.

use proptest::prelude::*;

use super::{
    super::{AccessLevel, Route, RouteKind, RouteRule, RouteTable, folded, pattern},
    rule,
};
use crate::domain::path::readings::Readings;

use AccessLevel::{Anonymous, Open, SignedIn};

/// One class for each segment of the path that the pattern covers; smaller is more specific.
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

/// Matches like a lenient portal: ignores case and a final slash, and a script serves all paths below it.
fn lenient_specificity(pattern: &str, path: &str) -> Option<Vec<u8>> {
    let (pattern, path) = (folded(pattern), path.to_ascii_lowercase());
    let with_slash = || (!pattern.ends_with('*') || pattern.ends_with("/*")).then(|| format!("{pattern}/"));
    let below_script = || {
        let last = pattern.rsplit('/').next()?;
        specificity(&format!("{pattern}/**"), &path).filter(|_| last.contains('.'))
    };
    specificity(&pattern, &path).or_else(|| specificity(&with_slash()?, &path)).or_else(below_script)
}

/// The reference: evaluates the rules one by one, as the documentation describes them.
fn naive(rules: &[RouteRule], fallback: AccessLevel, method: &str, path: &str) -> AccessLevel {
    let with = |weakest: AccessLevel| {
        let mut best = None;
        for (at, rule) in rules.iter().enumerate() {
            let named = |m: &str| rule.methods.iter().any(|known| known == m);
            let method_class = match () {
                () if named(method) => 0,
                () if method == "HEAD" && named("GET") => 1,
                () if rule.methods.is_empty() => 2,
                () => continue,
            };
            let closes = rule.access >= weakest && rule.access != Open;
            let lenient = if closes { lenient_specificity(&rule.pattern, path) } else { None };
            for (inexact, classes) in [specificity(&rule.pattern, path), lenient].into_iter().enumerate() {
                let Some(classes) = classes else { continue };
                let key = (classes, inexact, method_class, std::cmp::Reverse(at));
                if best.as_ref().is_none_or(|(known, _)| key < *known) {
                    best = Some((key, rule.access));
                }
            }
        }
        best.map_or(fallback, |(_, access)| access)
    };
    if with(SignedIn) == SignedIn { SignedIn } else { with(Anonymous) }
}

fn accesses() -> impl Strategy<Value = AccessLevel> {
    prop::sample::select(vec![Open, Anonymous, SignedIn])
}

fn rules() -> impl Strategy<Value = Vec<RouteRule>> {
    let written = (
        prop::sample::select(vec!["", "", "GET ", "HEAD ", "GET,POST "]),
        prop::collection::vec(prop::sample::select(vec!["a", "A", "b", "b.c", "B.c", "*"]), 0..4),
        prop::sample::select(vec!["", "/", "/**"]),
        accesses(),
    );
    let written = written.prop_map(|(methods, segments, end, access)| {
        let mut pattern: String = segments.iter().flat_map(|s| ["/", s]).collect();
        pattern.push_str(end);
        if pattern.is_empty() {
            pattern.push('/');
        }
        rule(&format!("{methods}{pattern}"), access)
    });
    prop::collection::vec(written, 0..8)
}

fn path(segments: &[&str], slash: bool) -> String {
    let mut path: String = segments.iter().flat_map(|s| ["/", s]).collect();
    if slash || path.is_empty() {
        path.push('/');
    }
    path
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_table_answers_as_the_rules_read_in_every_spelling(
        rules in rules(),
        fallback in accesses(),
        method in prop::sample::select(vec!["GET", "HEAD", "POST"]),
        segments in prop::collection::vec(prop::sample::select(vec!["a", "A", "b", "B", "b.c", "B.c", "B.C", "c"]), 0..5),
        slash in any::<bool>(),
    ) {
        let table = RouteTable::compile(&rules, Route::fallback(fallback, RouteKind::Page)).unwrap();
        let path = path(&segments, slash);
        let expected = naive(&rules, fallback, method, &path);
        let found = table.classify(method, &path);
        prop_assert_eq!(found.access, expected, "{} {} by {}", method, path, found.rule);
    }

    /// The promise: a path is at least as restricted as each path that a program may read in it.
    #[test]
    fn no_reading_is_more_restricted_than_the_path(
        rules in rules(),
        fallback in accesses(),
        path in "/[abAc./;\\\\%2fFe5 -]{0,24}",
    ) {
        let table = RouteTable::compile(&rules, Route::fallback(fallback, RouteKind::Page)).unwrap();
        let readings = Readings::of(&path);
        let found = table.strictest("GET", &readings).access;
        let highest = rules.iter().map(|rule| rule.access).max().unwrap_or(fallback);
        match readings.others() {
            Ok(others) => {
                for reading in others {
                    let of_reading = table.classify("GET", reading).access;
                    prop_assert!(found >= of_reading, "{} is weaker than {}", path, reading);
                }
            }
            Err(_) => prop_assert!(found >= highest, "{}", path),
        }
    }

    /// The promise: no spelling of a path is less restricted than another, unless a rule is written for it and not for the other.
    #[test]
    fn no_spelling_is_weaker_than_another_unless_a_rule_says_so(
        rules in rules(),
        fallback in accesses(),
        method in prop::sample::select(vec!["GET", "HEAD", "POST"]),
        segments in prop::collection::vec((prop::sample::select(vec!["a", "b", "b.c", "c"]), any::<bool>(), any::<bool>()), 1..5),
        slashes in any::<(bool, bool)>(),
    ) {
        let spelt = |second: bool, slash| {
            let segments: Vec<String> = segments
                .iter()
                .map(|(s, one, two)| if if second { *two } else { *one } { s.to_uppercase() } else { (*s).to_owned() })
                .collect();
            path(&segments.iter().map(String::as_str).collect::<Vec<_>>(), slash)
        };
        let (one, other) = (spelt(false, slashes.0), spelt(true, slashes.1));
        let table = RouteTable::compile(&rules, Route::fallback(fallback, RouteKind::Page)).unwrap();
        let (first, second) = (table.classify(method, &one), table.classify(method, &other));
        let names_method = |rule: &RouteRule| {
            let names = |method: &str| rule.methods.iter().any(|named| named == method);
            rule.methods.is_empty() || names(method) || (method == "HEAD" && names("GET"))
        };
        // the rule itself, or a weaker one that it closes
        let written_for_it = || {
            rules.iter().filter(|rule| rule.access <= first.access && names_method(rule)).any(|rule| {
                pattern::parse(&rule.pattern)
                    .is_ok_and(|pattern| pattern.matches(&one) && !pattern.matches(&other))
            })
        };
        prop_assert!(
            first.access >= second.access || written_for_it(),
            "{} {} by {} is weaker than {} by {}", method, one, first.rule, other, second.rule
        );
    }
}
