//! `_method` in the query: Express, Jersey, Rack and Laravel then use another method than the one that was sent. The request
//! has to be allowed under both.

use std::borrow::Cow;

use http::{Method, request::Parts};

use crate::domain::{
    path::readings::Readings,
    route::{AccessLevel, Route, RouteTable},
};

/// The route of the method that was sent, or that of the method in the query if it needs a higher access level.
pub fn stricter_route(sent: Route, parts: &Parts, routes: &RouteTable, readings: &Readings<'_>) -> Route {
    // no framework overrides a method that reads
    if parts.method == Method::GET || parts.method == Method::HEAD || sent.access == AccessLevel::SignedIn {
        return sent;
    }
    let Some(query) = parts.uri.query() else { return sent };
    override_methods(query).fold(sent, |strictest, method| {
        let other = routes.strictest(&method, readings);
        if other.access > strictest.access { other.clone() } else { strictest }
    })
}

fn override_methods(query: &str) -> impl Iterator<Item = String> {
    query.split(['&', ';']).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        if percent_decode(name).eq_ignore_ascii_case("_method") {
            Some(percent_decode(value).trim().to_ascii_uppercase())
        } else {
            None
        }
    })
}

fn percent_decode(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::route::{RouteKind, RouteRule};

    #[test]
    fn attack_method_override_in_query() {
        let rules = [
            RouteRule::new(&["POST"], "/notes/*", AccessLevel::Open, RouteKind::Api),
            RouteRule::new(&["PUT"], "/notes/*", AccessLevel::Anonymous, RouteKind::Api),
            RouteRule::new(&["DELETE"], "/notes/*", AccessLevel::SignedIn, RouteKind::Api),
        ];
        let fallback = crate::domain::route::generic::fallback();
        let table = RouteTable::compile(&rules, fallback).unwrap();
        let access = |method: &str, target: &str| {
            let request = http::Request::builder().method(method).uri(target).body(()).unwrap();
            let (parts, ()) = request.into_parts();
            let readings = Readings::of(parts.uri.path());
            stricter_route(table.strictest(method, &readings).clone(), &parts, &table, &readings).access
        };
        for (target, expected) in [
            ("/notes/1", AccessLevel::Open),
            ("/notes/1?x=1", AccessLevel::Open),
            ("/notes/1?_method=POST", AccessLevel::Open),
            ("/notes/1?_method=PUT", AccessLevel::Anonymous),
            ("/notes/1?_method=DELETE", AccessLevel::SignedIn),
            ("/notes/1?_method=delete", AccessLevel::SignedIn),
            ("/notes/1?%5Fmethod=%44ELETE", AccessLevel::SignedIn),
            ("/notes/1?_METHOD=DELETE", AccessLevel::SignedIn),
            ("/notes/1?_method=DELETE&_method=POST", AccessLevel::SignedIn),
            ("/notes/1?a;_method=DELETE", AccessLevel::SignedIn),
            ("/notes/1?_method=%20DELETE", AccessLevel::SignedIn),
            ("/notes/1?x_method=DELETE", AccessLevel::Open),
        ] {
            assert_eq!(access("POST", target), expected, "{target}");
        }
        assert_eq!(
            access("DELETE", "/notes/1?_method=POST"),
            AccessLevel::SignedIn,
            "an override never lowers the access level"
        );
    }
}
