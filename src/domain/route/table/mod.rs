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
mod tests;
