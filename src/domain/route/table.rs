//! Route rules compiled for lookup: the cost depends on the path, not on the number of rules.
//!
//! A rule matches a path as it is written: case counts, and `/a` does not match `/a/`. A rule that ends in `**` covers both
//! (`/a/**`: `/a`, `/a/`, `/a/b/c`). `*` stands for one segment that is not empty. HEAD follows the rules for GET where no
//! rule of the same pattern names HEAD.
//!
//! Portals are more lenient: many serve `/Account` and `/account/` as `/account`. So a rule that restricts a path against a
//! weaker rule matches in any case and with or without a final slash, and the strictest of all readings of a path
//! (`domain::path::readings`) applies: its access level, and whether it switches protocols. The most specific rule still wins;
//! between two that differ in case or a final slash only, the exact one.
//!
//! Where the last segment of such a closing rule has a dot, as in `/admin.php`, it may name a script, and many servers serve
//! `/admin.php/x` as `/admin.php` (`PATH_INFO`). The rule then also matches as `/admin.php/**` would.

use std::sync::Arc;

use super::{AccessLevel, Route, RouteKind, RouteRule, automaton, pattern};
use crate::domain::{
    path::{PathShape, readings::Readings},
    upgrade::UpgradeRule,
};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?}: {problem}")]
pub struct InvalidRoutePattern {
    pub pattern: String,
    pub problem: &'static str,
}

impl InvalidRoutePattern {
    pub(super) fn new(pattern: &str, problem: &'static str) -> Self {
        Self { pattern: pattern.to_owned(), problem }
    }
}

/// Reported instead of a rule for paths with too many readings.
const AMBIGUOUS_RULE: &str = "(too many readings)";

#[derive(Debug, Clone)]
pub struct RouteTable {
    /// The fallback first, then one for each rule.
    routes: Box<[Route]>,
    states: automaton::Automaton,
    fallback: Route,
    /// The route of paths with too many readings.
    ambiguous: Route,
    /// The highest access level of all paths.
    highest: AccessLevel,
    /// Some path is one of WSO2's APIs, where credentials in the query are refused.
    has_wso2_apis: bool,
    /// Routes for authenticated users that this table cannot weaken.
    baseline: Option<Arc<RouteTable>>,
}

impl RouteTable {
    /// The most specific rule wins, segment by segment: a literal before `*`, `*` before `**`; between two rules
    /// with the same pattern the one that names the method wins, then the later one. Paths that no rule matches get `fallback`.
    pub fn compile(rules: &[RouteRule], fallback: Route) -> Result<Self, InvalidRoutePattern> {
        let mut routes = vec![fallback.clone()];
        let mut parsed = Vec::with_capacity(rules.len());
        for rule in rules {
            parsed.push(pattern::parse(&rule.pattern)?);
            if let Some(bad) = rule.methods.iter().find(|method| !pattern::is_method(method)) {
                return Err(InvalidRoutePattern::new(
                    &rule.pattern,
                    if bad.is_empty() { "a method is missing" } else { "a method is written in capitals" },
                ));
            }
            routes.push(Route {
                access: rule.access,
                kind: rule.kind,
                upgrade: rule.upgrade.clone(),
                rule: rule.to_string().into(),
            });
        }
        let states = automaton::build(&parsed, rules, fallback.access)?;
        let ambiguous = Route {
            rule: AMBIGUOUS_RULE.into(),
            access: AccessLevel::SignedIn,
            upgrade: UpgradeRule::Never,
            ..fallback.clone()
        };
        let is_complete = rules.iter().any(|rule| rule.methods.is_empty() && rule.pattern == "/**");
        let of_rules = rules.iter().map(|rule| rule.access);
        let highest = of_rules.chain((!is_complete).then_some(fallback.access)).max();
        let highest = highest.unwrap_or(AccessLevel::SignedIn);
        let has_wso2_apis = routes.iter().any(|route| route.kind == RouteKind::Wso2Api);
        Ok(Self {
            routes: routes.into(),
            states,
            fallback,
            ambiguous,
            highest,
            has_wso2_apis,
            baseline: None,
        })
    }

    /// Routes that `baseline` restricts to users stay restricted, whatever the rules of this table are.
    #[must_use]
    pub fn with_baseline(self, baseline: Arc<Self>) -> Self {
        Self {
            highest: self.highest.max(baseline.highest),
            has_wso2_apis: self.has_wso2_apis || baseline.has_wso2_apis,
            baseline: Some(baseline),
            ..self
        }
    }

    /// The route of a path as it was sent, without its query.
    pub fn classify(&self, method: &str, path: &str) -> &Route {
        self.strictest(method, &Readings::of(path))
    }

    /// The strictest route of all readings of a path.
    pub fn strictest(&self, method: &str, readings: &Readings<'_>) -> &Route {
        let route = self.classify_reading(method, readings.path());
        let is_strictest =
            route.access == self.highest && (route.kind == RouteKind::Wso2Api || !self.has_wso2_apis);
        if readings.shape() == PathShape::Plain || is_strictest {
            return route;
        }
        self.strictest_reading(route, method, readings)
    }

    #[cold]
    fn strictest_reading<'t>(
        &'t self,
        as_sent: &'t Route,
        method: &str,
        readings: &Readings<'_>,
    ) -> &'t Route {
        // credentials in the query are refused for WSO2's APIs only
        let strictness = |route: &Route| (route.access, route.kind == RouteKind::Wso2Api);
        let Ok(others) = readings.others() else { return &self.ambiguous };
        others.iter().map(|reading| self.classify_reading(method, reading)).fold(
            as_sent,
            |strictest, route| {
                if strictness(route) > strictness(strictest) { route } else { strictest }
            },
        )
    }

    /// The spelling of the path that decides in `strictest`; `None`: the path as written.
    pub fn deciding_spelling(&self, method: &str, readings: &Readings<'_>) -> Option<String> {
        let (path, route) = (readings.path(), self.strictest(method, readings));
        let as_written = std::iter::once(path.to_owned());
        let reading = as_written
            .chain(readings.others().unwrap_or_default().iter().cloned())
            .find(|reading| std::ptr::eq(self.classify_reading(method, reading), route))?;
        let pattern = route.rule.rsplit(' ').next().unwrap_or_default();
        if let Ok(pattern) = pattern::parse(pattern)
            && !pattern.matches(&reading)
        {
            let folded = reading.to_ascii_lowercase();
            let script = pattern.script_in(&folded).unwrap_or(&folded);
            return Some(script.strip_suffix('/').unwrap_or(script).to_owned());
        }
        Some(reading).filter(|reading| reading != path)
    }

    fn classify_reading(&self, method: &str, path: &str) -> &Route {
        let own = self
            .states
            .find(path)
            .and_then(|answer| self.routes.get(answer.route_for(method)))
            .unwrap_or(&self.fallback);
        match &self.baseline {
            Some(baseline) if own.access != AccessLevel::SignedIn => {
                let inherited = baseline.classify_reading(method, path);
                if inherited.access == AccessLevel::SignedIn { inherited } else { own }
            }
            _ => own,
        }
    }

    /// The upgrade rule for a request on `route`, which `strictest` has returned. If `baseline` has `Never` for a reading, no rule
    /// of this table can override it; if the readings of the path have different rules, the connection is not switched.
    pub fn upgrade_rule<'t>(
        &'t self,
        route: &'t Route,
        method: &str,
        readings: &Readings<'_>,
    ) -> &'t UpgradeRule {
        let Ok(others) = readings.others() else { return &UpgradeRule::Never };
        let is_refused = |reading: &str| {
            let inherited =
                self.baseline.as_ref().map(|base| &base.classify_reading(method, reading).upgrade);
            inherited == Some(&UpgradeRule::Never)
        };
        let differs = |reading: &str| self.classify_reading(method, reading).upgrade != route.upgrade;
        let is_never = is_refused(readings.path())
            || others.iter().any(|reading| is_refused(reading) || differs(reading))
            || (!others.is_empty() && differs(readings.path()));
        if is_never { &UpgradeRule::Never } else { &route.upgrade }
    }
}

impl std::fmt::Display for RouteRule {
    /// As an operator writes it: `GET,HEAD /docs/**`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(","))?;
        }
        f.write_str(&self.pattern)
    }
}

impl Route {
    /// The route of paths that no rule names.
    pub fn fallback(access: super::AccessLevel, kind: super::RouteKind) -> Self {
        Self { access, kind, upgrade: UpgradeRule::default_for(kind), rule: Arc::from("(no rule)") }
    }
}

#[cfg(test)]
mod tests {
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
        let table =
            RouteTable::compile(&rules, Route::fallback(AccessLevel::SignedIn, RouteKind::Page)).unwrap();
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
}
