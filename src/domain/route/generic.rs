//! Portal profile `generic`: nothing is known of the portal beyond what the configuration says.

use super::{Access, Route, RouteRule, Surface};

/// What browsers and crawlers ask of any site before anybody could have signed in.
pub fn rules() -> Vec<RouteRule> {
    ["/favicon.ico", "/robots.txt"]
        .map(|path| RouteRule::new(&["GET"], path, Access::Open, Surface::Asset))
        .into()
}

/// A page: open to visitors while anonymous mode is on.
pub fn fallback() -> Route {
    Route::fallback(Access::Anonymous, Surface::Page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::route::RouteTable;

    #[test]
    fn only_the_well_known_files_stay_open() {
        let table = RouteTable::compile(&rules(), fallback()).unwrap();
        for (method, path, access) in [
            ("GET", "/favicon.ico", Access::Open),
            ("HEAD", "/robots.txt", Access::Open),
            ("POST", "/favicon.ico", Access::Anonymous),
            ("GET", "/favicon.ico/x", Access::Anonymous),
            ("GET", "/", Access::Anonymous),
        ] {
            assert_eq!(table.classify(method, path).access, access, "{method} {path}");
        }
    }
}
