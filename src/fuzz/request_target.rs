//! Request targets: what is forwarded, the readings of a path, and the route rules that decide about it.

use std::borrow::Cow;

use http::{Method, Uri, request::Parts};
use percent_encoding::percent_decode_str;

use super::{LIMITS, lines, request};
use crate::{
    domain::{
        guard::LoginEndpoint,
        path::{
            normal_form,
            readings::{Readings, UnknownReadings, all_of},
        },
        route::{AccessLevel, Route, RouteKind, RouteRule, RouteTable, any_path, parse_rule},
    },
    proxy::validation,
};

/// The first line of the input is a method and a request target; each further line is an access level and a route rule.
///
/// - The target that is forwarded is the one that was sent.
/// - The normal form is stable, not longer, decodes to the same text, and has no step up and nothing left to decode.
/// - The strictest reading of a path decides, and is at least as strict as the decision about each of the readings.
/// - A rule that closes a path closes it in capitals and with a final slash.
/// - A rule that is written again is read as the same rule, and matches a path that it covers.
pub fn request_target(data: &[u8]) {
    let mut lines = lines(data);
    let parts = lines.next().and_then(request_line);
    let rules: Vec<_> = lines.take(16).filter_map(rule).collect();
    rules.iter().for_each(rule_covers_its_path);
    let Some(mut parts) = parts else { return };
    let sent = parts.uri.clone();
    if validation::validate(&mut parts, LIMITS).is_err() {
        return;
    }
    is_as_sent(&sent, &parts);
    normal_form_is_stable(parts.uri.path());
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    strictest_reading_decides(&rules, method, path);
    for rule in &rules {
        closes_every_spelling(rule, method, path);
    }
}

fn request_line(line: &[u8]) -> Option<Parts> {
    let blank = line.iter().position(|byte| *byte == b' ')?;
    let (method, target) = line.split_at_checked(blank)?;
    let mut parts = request();
    parts.method = Method::from_bytes(method).ok()?;
    parts.uri = Uri::try_from(target.trim_ascii()).ok()?;
    Some(parts)
}

fn rule(line: &[u8]) -> Option<RouteRule> {
    let (access, written) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let access = match access {
        "open" => AccessLevel::Open,
        "anonymous" => AccessLevel::Anonymous,
        "signed-in" => AccessLevel::SignedIn,
        _ => return None,
    };
    let (methods, pattern) = parse_rule(written).ok()?;
    Some(RouteRule { methods, pattern, ..RouteRule::new(&[], "/", access, RouteKind::Page) })
}

fn table(rules: &[RouteRule]) -> Option<RouteTable> {
    RouteTable::compile(rules, Route::fallback(AccessLevel::Open, RouteKind::Page)).ok()
}

fn rule_covers_its_path(rule: &RouteRule) {
    let again = parse_rule(&rule.to_string());
    assert_eq!(again, Ok((rule.methods.clone(), rule.pattern.clone())), "written and read again");
    let method = rule.methods.first().map_or("GET", String::as_str);
    let path = any_path(&rule.pattern);
    let closing = RouteRule { access: AccessLevel::SignedIn, ..rule.clone() };
    let Some(table) = table(&[closing]) else { unreachable!("{rule} is no rule") };
    assert_eq!(table.classify(method, &path).access, AccessLevel::SignedIn, "{rule} does not match {path}");
    let endpoint = LoginEndpoint { methods: Vec::new(), pattern: rule.pattern.clone(), below_tenants: false };
    assert!(!endpoint.matches_exactly(&path) || endpoint.matches(&path), "{rule} does not cover {path}");
}

fn is_as_sent(sent: &Uri, parts: &Parts) {
    let whole = |uri: &Uri| uri.path_and_query().map_or_else(String::new, ToString::to_string);
    assert_eq!(whole(&parts.uri), whole(sent));
    assert!(parts.uri.path_and_query().is_some_and(|target| target.as_str().starts_with('/')));
}

fn normal_form_is_stable(path: &str) {
    let Ok(normal) = normal_form(path) else { return };
    assert!(
        matches!(normal_form(&normal), Ok(Cow::Borrowed(same)) if same == normal),
        "{path} is not stable"
    );
    assert!(normal.len() <= path.len(), "{normal} is longer");
    let decoded = decoded(&normal);
    assert_eq!(decoded, self::decoded(path), "{path} is another path");
    assert!(decoded.split('/').all(|segment| segment != "." && segment != ".."), "{decoded}");
    assert!(!decoded.contains(['\\', ';']) && !decoded.contains("//"), "{decoded}");
    assert!(!decoded.contains(|letter: char| letter.is_ascii_control()), "{decoded}");
    assert_eq!(decoded.matches('/').count(), path.matches('/').count(), "{decoded}");
    assert_eq!(self::decoded(&decoded), decoded, "{path} is encoded twice");
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn strictest_reading_decides(rules: &[RouteRule], method: &str, path: &str) {
    let Some(table) = table(rules) else { return };
    let access = table.classify(method, path).access;
    let readings = Readings::of(path);
    let Ok(found) = readings.others() else {
        let is_highest = rules.iter().all(|rule| rule.access <= access);
        assert!(is_highest, "{path} has readings that are not known, and is not closed");
        return;
    };
    assert_eq!(all_of(path).as_deref(), Ok(found), "{path} has other readings");
    for reading in found {
        assert!(table.classify(method, reading).access <= access, "{path} is weaker than {reading}");
        assert_ne!(all_of(reading), Err(UnknownReadings::AboveRoot), "{reading} leaves the root");
    }
}

fn closes_every_spelling(rule: &RouteRule, method: &str, path: &str) {
    let closing = RouteRule { access: AccessLevel::SignedIn, ..rule.clone() };
    let Some(table) = table(&[closing]) else { return };
    let is_closed = |path: &str| table.classify(method, path).access == AccessLevel::SignedIn;
    if all_of(path).is_err() || !is_closed(path) {
        return;
    }
    assert!(is_closed(&path.to_ascii_uppercase()), "{rule} does not close {path} in capitals");
    let other_slash = match path.strip_suffix('/') {
        Some("") => return,
        Some(without) => without.to_owned(),
        None => format!("{path}/"),
    };
    assert!(is_closed(&other_slash), "{rule} closes {path} and not {other_slash}");
}
