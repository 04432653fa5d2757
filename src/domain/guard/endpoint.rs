//! Matches login requests of the portal. Some portals treat `/login`, `/Login` and `/login/` as equal, so a
//! guard does as well.

use crate::domain::path::{PathShape, readings::Readings};

/// Methods (empty: all) and a path pattern, as in routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginEndpoint {
    pub methods: Vec<String>,
    /// `*` is one segment, a final `**` any rest.
    pub pattern: String,
    /// The portal serves it below `/t/{tenant}` and `/o/{organisation}` as well (WSO2).
    pub below_tenants: bool,
}

impl LoginEndpoint {
    /// Whether some program may read the endpoint's address in this path.
    pub fn matches(&self, path: &str) -> bool {
        self.covers_any(&Readings::of(path))
    }

    pub fn covers_any(&self, readings: &Readings<'_>) -> bool {
        let covers = |path: &str| {
            let extends = |literal: &str, found: &str| literal.contains('.') || found.contains('.');
            match_segments(segments(&self.pattern), segments(path), matches_leniently, extends)
        };
        readings.any(|reading| self.is_served_at(reading, covers))
    }

    /// As `matches`, but exact: case and slashes count, and no program reads another path, unless the pattern is this very path.
    pub fn matches_exactly(&self, path: &str) -> bool {
        let is_clear =
            self.pattern == path || !matches!(PathShape::of(path), Ok(PathShape::Structured) | Err(_));
        is_clear
            && self.is_served_at(path, |path| {
                match_segments(
                    self.pattern.split('/'),
                    path.split('/'),
                    |wanted, found| wanted == found,
                    |_, _| false,
                )
            })
    }

    /// Whether the path matches, with or without the prefix of a tenant or an organisation.
    fn is_served_at(&self, path: &str, matches: impl Fn(&str) -> bool) -> bool {
        matches(path) || (self.below_tenants && is_below(path, &matches, 2))
    }

    /// Whether a body sent with this method can be a login.
    pub fn accepts_method(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|taken| taken == method)
    }
}

/// Matches `/login` in `/t/acme.com/login`, in `/t/acme.com/o/unit/login`, and in `/o/login`, where the
/// organisation is named elsewhere in the request. `depth`: the maximum number of prefixes.
fn is_below(path: &str, matches: &impl Fn(&str) -> bool, depth: u8) -> bool {
    let [b'/', kind @ (b't' | b'T' | b'o' | b'O'), b'/', ..] = path.as_bytes() else { return false };
    let is_found = |path: &str| matches(path) || (depth > 1 && is_below(path, matches, depth - 1));
    let rest = path.get(2..).unwrap_or_default();
    let unnamed = matches!(kind, b'o' | b'O') && is_found(rest);
    let named = rest.get(1..).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)));
    unnamed || named.is_some_and(is_found)
}

/// Whether some portal takes both for the same: in any case, with a format after the name (`.json`, `.do`) or a blank as forms
/// encode it.
fn matches_leniently(wanted: &str, found: &str) -> bool {
    let Some((start, rest)) = found.split_at_checked(wanted.len()) else { return false };
    start.eq_ignore_ascii_case(wanted) && is_ignored_suffix(rest)
}

fn is_ignored_suffix(rest: &str) -> bool {
    let format = rest.trim_end_matches('+');
    // Rails accepts any format
    format.is_empty() || format.starts_with('.')
}

/// `extends`: whether the last literal segment may name a script, which also serves every path below it: PHP, CGI and
/// ASP.NET serve `/login.php/a` with `/login.php`.
fn match_segments<'a>(
    mut wanted: impl Iterator<Item = &'a str>,
    mut found: impl Iterator<Item = &'a str>,
    is_same: impl Fn(&str, &str) -> bool,
    extends: impl Fn(&str, &str) -> bool,
) -> bool {
    let mut is_extended = false;
    loop {
        match (wanted.next(), found.next()) {
            (Some("**"), _) | (None, None) => return true,
            (None, Some(_)) => return is_extended,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(literal), Some(segment)) if is_same(literal, segment) => {
                is_extended = extends(literal, segment);
            }
            _ => return false,
        }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_end_matches('/').split('/').skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(pattern: &str, below_tenants: bool) -> LoginEndpoint {
        LoginEndpoint { methods: Vec::new(), pattern: pattern.to_owned(), below_tenants }
    }

    /// Attack: the same endpoint of WSO2 below a tenant or an organisation, where no guess is counted.
    #[test]
    fn attack_a_sign_in_below_a_tenant_or_an_organisation() {
        let wso2 = endpoint("/commonauth", true);
        for path in [
            "/commonauth",
            "/t/acme.com/commonauth",
            "/T/acme.com/CommonAuth/",
            "/o/unit/commonauth",
            "/o/commonauth",
            "/t/acme.com/o/unit/commonauth",
            "/t/acme.com/o/commonauth",
        ] {
            assert!(wso2.matches(path), "{path}");
            assert_eq!(endpoint("/commonauth", false).matches(path), path == "/commonauth", "{path}");
        }
        for path in ["/t/commonauth", "/x/acme.com/commonauth", "/tt/x/commonauth", "/t/a/b/commonauth"] {
            assert!(!wso2.matches(path), "{path}");
        }
        assert!(
            wso2.matches_exactly("/t/acme.com/commonauth") && !wso2.matches_exactly("/t/acme.com/Commonauth")
        );
        let long = format!("/{}", "o/".repeat(4000));
        assert!(!wso2.matches(&long));
        let token = endpoint("/oauth2/token", true);
        assert!(token.matches("/t/acme.com/oauth2/token") && !token.matches("/t/acme.com/oauth2/authorize"));
    }

    /// Attack: Rails and Spring ignore a format of any length.
    #[test]
    fn attack_a_format_of_any_length_at_the_address() {
        for path in [
            "/login.abcdefg",
            "/login.x-y",
            "/login.%61bc",
            "/login.a.b",
            "/login.%20",
            "/login.é",
            "/LOGIN.abcdefghijklmnopqrstuvwxyz/",
            "/login.json;x=1",
        ] {
            assert!(endpoint("/login", false).matches(path), "{path}");
            assert!(!endpoint("/login", false).matches_exactly(path), "{path}");
        }
        for path in ["/login-x.json", "/logins.json", "/x.login", "/.login"] {
            assert!(!endpoint("/login", false).matches(path), "{path}");
        }
    }

    /// Attack: PHP, CGI and ASP.NET serve every path below a script with that script.
    #[test]
    fn attack_path_info_behind_the_address_of_a_program() {
        for (pattern, path, covered) in [
            ("/login.php", "/login.php/a", true),
            ("/login.php", "/login.php/", true),
            ("/login.php", "/login.php/a/b", true),
            ("/login.php", "/Login.PHP/a", true),
            ("/login.php", "/login.php%2fa", true),
            ("/login.php", "/login.php%3bx=1/a", true),
            ("/app/login.aspx", "/app/login.aspx/a/b.css", true),
            ("/*/login.php", "/x/login.php/a", true),
            ("/login.php/*", "/login.php/a/b", true),
            // the portal serves the script without its suffix
            ("/login", "/login.php/a", true),
            ("/login", "/login/a", false),
            ("/login.php", "/x/login.php/a", false),
            // the framework behind a front controller
            ("/login.php", "/index.php/login.php", true),
            ("/login", "/index.php/login", true),
            ("/login", "/(S(0ab1))/login", true),
            ("/v1.0/login", "/v1.0/logout", false),
            ("/v1.0/login", "/v1.0/login/a", false),
        ] {
            let endpoint = endpoint(pattern, false);
            assert_eq!(endpoint.matches(path), covered, "{pattern} {path}");
            assert!(!endpoint.matches_exactly(path), "{pattern} {path}");
        }
        let below = endpoint("/login.php", true);
        assert!(below.matches("/t/acme.com/login.php/a"));
    }

    #[test]
    fn attack_another_spelling_of_the_address_is_the_same_sign_in() {
        for (pattern, path, covered) in [
            ("/login", "/login", true),
            ("/login", "/Login", true),
            ("/login", "/LOGIN/", true),
            ("/login/", "/login", true),
            ("/login", "/login/x", false),
            ("/login", "/logins", false),
            // Rails and Spring parse a format suffix, Windows ignores trailing dots and blanks
            ("/login", "/login.json", true),
            ("/login", "/Login.HTML", true),
            ("/login", "/login.", true),
            ("/login", "/login%20", true),
            ("/login", "/login+", true),
            ("/login", "/login.json.", true),
            ("/login", "/login.json%20", true),
            ("/login", "/%6cogin", true),
            ("/login", "/x/%2e%2e/login", true),
            ("/login", "/login%3bx=1", true),
            ("/login", "/login-x", false),
            ("/api/login", "/api/login.do", true),
            ("/login", "/", false),
            ("/t/*/login", "/t/acme.com/login", true),
            ("/t/*/login", "/t//login", false),
            ("/t/*/login", "/t/login", false),
            ("/api/**", "/api", true),
            ("/api/**", "/API/x/y", true),
            ("/api/**", "/apis", false),
            ("/**", "/", true),
            ("/", "/", true),
            ("/", "/x", false),
        ] {
            let endpoint = endpoint(pattern, false);
            assert_eq!(endpoint.matches(path), covered, "{pattern} {path}");
        }
        for (pattern, path, exactly) in [
            ("/login", "/login", true),
            ("/login", "/Login", false),
            ("/login", "/login/", false),
            ("/t/*/login", "/t/acme.com/login", true),
            ("/t/*/login", "/t/acme.com/Login", false),
            ("/api/**", "/api/x/", true),
            ("/api/**", "/api", true),
            ("/api/**", "/API", false),
        ] {
            let endpoint = endpoint(pattern, false);
            assert_eq!(endpoint.matches_exactly(path), exactly, "{pattern} {path}");
        }
    }
}
