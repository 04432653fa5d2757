//! Portal profile `generic`: routes come from the configuration only.

use super::{AccessLevel, Route, RouteKind, RouteRule};

/// Files that browsers and crawlers request from every site without authentication.
pub fn rules() -> Vec<RouteRule> {
    ["/favicon.ico", "/robots.txt"]
        .map(|path| RouteRule::new(&["GET"], path, AccessLevel::Open, RouteKind::Asset))
        .into()
}

/// A page: accessible to anonymous requests while anonymous mode is on.
pub fn fallback() -> Route {
    Route::fallback(AccessLevel::Anonymous, RouteKind::Page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::route::RouteTable;

    #[test]
    fn only_the_well_known_files_stay_open() {
        let table = RouteTable::compile(&rules(), fallback()).unwrap();
        for (method, path, access) in [
            ("GET", "/favicon.ico", AccessLevel::Open),
            ("HEAD", "/robots.txt", AccessLevel::Open),
            ("POST", "/favicon.ico", AccessLevel::Anonymous),
            ("GET", "/favicon.ico/x", AccessLevel::Anonymous),
            ("GET", "/", AccessLevel::Anonymous),
        ] {
            assert_eq!(table.classify(method, path).access, access, "{method} {path}");
        }
    }
}
