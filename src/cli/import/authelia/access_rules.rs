//! `access_control`: in Authelia the first rule that matches decides, in Doorward the most specific one.
//!
//! A rule that opens is taken over only if no earlier rule may have closed some of its paths, so that nothing is open
//! that was closed.

use std::collections::BTreeSet;

use toml::Value;

use crate::cli::import::{
    deployment_draft::DeploymentDraft,
    route_regex::{ConvertedPattern, convert},
    source_settings::SourceSettings,
};

const TABLE: &str = "access_control";

struct AccessRule {
    key: String,
    policy: String,
    domains: Vec<String>,
    /// The rule names hosts by expressions, which are not evaluated.
    has_domain_expression: bool,
    /// Empty: all paths.
    resources: Vec<String>,
    methods: Vec<String>,
    /// The names of the rule's other conditions.
    conditions: Vec<&'static str>,
}

pub fn translate(source: &mut SourceSettings, domain: Option<&str>, draft: &mut DeploymentDraft) {
    let default = source.take_text(&format!("{TABLE}.default_policy"));
    let rules: Vec<AccessRule> = source
        .take_items(&format!("{TABLE}.rules"))
        .into_iter()
        .enumerate()
        .map(|(index, rule)| AccessRule::of(index, rule, draft))
        .collect();
    for key in source.remaining().into_iter().filter(|key| key.starts_with("access_control.networks")) {
        source.take(&key);
        draft.noted(&key, "only rules use it");
    }
    let Some(domain) = domain.map(str::to_owned).or_else(|| only_domain(&rules)) else {
        for rule in &rules {
            draft.left(
                &rule.key,
                "an instance protects one portal: choose its host with --domain; until then every path needs a user",
            );
        }
        return default_policy(default.as_deref(), true, draft);
    };
    let mut closed = ClosedPaths::default();
    for rule in &rules {
        rule.translate(&domain, &mut closed, draft);
    }
    default_policy(default.as_deref(), closed.covers(&ConvertedPattern::all()), draft);
}

/// The one host that the rules name, if there is only one.
fn only_domain(rules: &[AccessRule]) -> Option<String> {
    let all: BTreeSet<&String> = rules.iter().flat_map(|rule| &rule.domains).collect();
    let has_expression = rules.iter().any(|rule| rule.has_domain_expression);
    let mut all = all.into_iter();
    match (all.next(), all.next()) {
        (Some(only), None) if !has_expression && !only.contains(['*', '{']) => Some(only.clone()),
        _ => None,
    }
}

fn default_policy(policy: Option<&str>, is_closed_in_part: bool, draft: &mut DeploymentDraft) {
    const KEY: &str = "access_control.default_policy";
    match policy {
        Some("bypass") if is_closed_in_part => {
            draft.left(
                KEY,
                "a path that no rule names needs a user here, as a rule closes paths that cannot be compared",
            );
        }
        Some("bypass") => {
            draft.push(
                KEY,
                "access.route",
                route("/**", &[], "open"),
                "every path that no rule names is open to everyone",
            );
        }
        Some("deny") => {
            draft.left(KEY, "Doorward cannot deny: a path that no rule names is open to every user");
        }
        Some("two_factor") => draft.left(KEY, "there is no second factor: the password is enough"),
        Some(_) => {
            draft.taken_over(KEY, "as `apim.devportal.enable_anonymous_mode = false`: all else needs a user");
        }
        None => {}
    }
}

/// Paths that earlier rules have closed.
#[derive(Default)]
struct ClosedPaths {
    patterns: Vec<ConvertedPattern>,
    /// Some are closed by a rule that cannot be converted.
    has_unknown: bool,
}

impl ClosedPaths {
    fn covers(&self, pattern: &ConvertedPattern) -> bool {
        self.has_unknown || self.patterns.iter().any(|closed| closed.covers(pattern))
    }
}

impl AccessRule {
    fn of(index: usize, mut rule: SourceSettings, draft: &mut DeploymentDraft) -> Self {
        let key = format!("{TABLE}.rules[{index}]");
        let conditions: Vec<&'static str> =
            ["subject", "networks", "query"].into_iter().filter(|name| rule.take(name).is_some()).collect();
        let parsed = Self {
            policy: rule.take_text("policy").unwrap_or_default(),
            domains: rule.take_list("domain").unwrap_or_default(),
            has_domain_expression: rule.take("domain_regex").is_some(),
            resources: rule.take_list("resources").unwrap_or_default(),
            methods: rule.take_list("methods").unwrap_or_default(),
            conditions,
            key,
        };
        for name in rule.remaining() {
            draft.left(&format!("{}.{name}", parsed.key), "not known");
        }
        parsed
    }

    fn translate(&self, domain: &str, closed: &mut ClosedPaths, draft: &mut DeploymentDraft) {
        let opens = self.policy == "bypass";
        if !self.is_for(domain) {
            if self.has_domain_expression && !opens {
                closed.has_unknown = true;
                draft
                    .left(&self.key, "a host by an expression: rules after it that open paths are left, too");
            } else {
                draft.left(&self.key, "for another host: an instance protects one portal");
            }
            return;
        }
        if opens && !self.conditions.is_empty() {
            let conditions = self.conditions.join(" and ");
            draft.left(&self.key, format!("a route has no condition on {conditions}: its paths need a user"));
            return;
        }
        if self.resources.is_empty() {
            return self.translate_path(&self.key, Some(ConvertedPattern::all()), closed, draft);
        }
        for (index, resource) in self.resources.iter().enumerate() {
            self.translate_path(
                &format!("{}.resources[{index}]", self.key),
                convert(resource),
                closed,
                draft,
            );
        }
    }

    fn translate_path(
        &self,
        key: &str,
        pattern: Option<ConvertedPattern>,
        closed: &mut ClosedPaths,
        draft: &mut DeploymentDraft,
    ) {
        if self.policy == "bypass" {
            return self.open_path(key, pattern, closed, draft);
        }
        let Some(pattern) = pattern.filter(|pattern| pattern.is_complete) else {
            closed.has_unknown = true;
            draft.left(
                key,
                "Doorward has no regular expressions in routes: its paths need a user, and so do those that later rules open",
            );
            return;
        };
        let entries = route(&pattern.pattern, &self.methods, "signed-in");
        if draft.push(key, "access.route", entries, "for users only") {
            closed.patterns.push(pattern);
        } else {
            closed.has_unknown = true;
        }
        if let Some(note) = self.weaker_note() {
            draft.left(key, note);
        }
    }

    fn open_path(
        &self,
        key: &str,
        pattern: Option<ConvertedPattern>,
        closed: &ClosedPaths,
        draft: &mut DeploymentDraft,
    ) {
        let Some(pattern) = pattern else {
            draft.left(
                key,
                "Doorward has no regular expressions in routes: its paths need a user; write `[[access.route]]`",
            );
            return;
        };
        if closed.covers(&pattern) {
            draft.left(key, "an earlier rule may close these paths, so they need a user");
            return;
        }
        let note = if pattern.is_complete {
            "open to everyone, with any query"
        } else {
            "open to everyone; only this path and those below, not others with the same prefix"
        };
        draft.push(key, "access.route", route(&pattern.pattern, &self.methods, "open"), note);
    }

    /// Conditions of the rule that Doorward does not have.
    fn weaker_note(&self) -> Option<String> {
        let conditions = self.conditions.join(" and ");
        match self.policy.as_str() {
            "deny" => Some("Doorward cannot deny: every user has access".to_owned()),
            _ if self.conditions.contains(&"subject") => Some(format!(
                "a route has no condition on {conditions}: every user has access, whatever the groups"
            )),
            "two_factor" => Some("there is no second factor: the password is enough".to_owned()),
            _ => None,
        }
    }

    /// Whether the rule is about this host.
    fn is_for(&self, domain: &str) -> bool {
        self.domains.iter().any(|written| match written.strip_prefix("*.") {
            Some(suffix) => domain.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')),
            None => written.eq_ignore_ascii_case(domain),
        })
    }
}

fn route(pattern: &str, methods: &[String], access: &str) -> Vec<(&'static str, Value)> {
    let matched =
        if methods.is_empty() { pattern.to_owned() } else { format!("{} {pattern}", methods.join(",")) };
    vec![("match", matched.into()), ("access", access.into())]
}
