//! `_method` in the query: Express, Jersey, Rack and Laravel then serve another method than the one that was sent. The request
//! has to be allowed under both.

use std::borrow::Cow;

use http::{Method, request::Parts};

use crate::domain::route::{Access, Route, RouteTable};

/// The route of the method that was sent, or that of the method in the query where it needs more.
pub fn stricter(sent: Route, parts: &Parts, routes: &RouteTable) -> Route {
    // a method that reads is nowhere replaced
    if parts.method == Method::GET || parts.method == Method::HEAD || sent.access == Access::SignedIn {
        return sent;
    }
    let Some(query) = parts.uri.query() else { return sent };
    methods(query).fold(sent, |strictest, method| {
        let other = routes.classify(&method, parts.uri.path());
        if other.access > strictest.access { other.clone() } else { strictest }
    })
}

fn methods(query: &str) -> impl Iterator<Item = String> {
    query.split(['&', ';']).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        if decoded(name).eq_ignore_ascii_case("_method") {
            Some(decoded(value).trim().to_ascii_uppercase())
        } else {
            None
        }
    })
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::route::{RouteRule, Surface};

    #[test]
    fn attack_method_in_the_query_that_a_rule_closes() {
        let rules = [
            RouteRule::new(&["POST"], "/notes/*", Access::Open, Surface::Api),
            RouteRule::new(&["PUT"], "/notes/*", Access::Anonymous, Surface::Api),
            RouteRule::new(&["DELETE"], "/notes/*", Access::SignedIn, Surface::Api),
        ];
        let fallback = crate::domain::route::generic::fallback();
        let table = RouteTable::compile(&rules, fallback).unwrap();
        let access = |method: &str, target: &str| {
            let request = http::Request::builder().method(method).uri(target).body(()).unwrap();
            let (parts, ()) = request.into_parts();
            stricter(table.classify(method, parts.uri.path()).clone(), &parts, &table).access
        };
        for (target, expected) in [
            ("/notes/1", Access::Open),
            ("/notes/1?x=1", Access::Open),
            ("/notes/1?_method=POST", Access::Open),
            ("/notes/1?_method=PUT", Access::Anonymous),
            ("/notes/1?_method=DELETE", Access::SignedIn),
            ("/notes/1?_method=delete", Access::SignedIn),
            ("/notes/1?%5Fmethod=%44ELETE", Access::SignedIn),
            ("/notes/1?_METHOD=DELETE", Access::SignedIn),
            ("/notes/1?_method=DELETE&_method=POST", Access::SignedIn),
            ("/notes/1?a;_method=DELETE", Access::SignedIn),
            ("/notes/1?_method=%20DELETE", Access::SignedIn),
            ("/notes/1?x_method=DELETE", Access::Open),
        ] {
            assert_eq!(access("POST", target), expected, "{target}");
        }
        assert_eq!(access("DELETE", "/notes/1?_method=POST"), Access::SignedIn, "it opens nothing");
    }
}
