//! Several guards that cover one path: which of them says whose attempt it is, and which of them decide by the response.

use std::{
    cmp::{Ordering, Reverse},
    sync::Arc,
};

use super::{LoginEndpoint, LoginGuard};

impl LoginGuard {
    /// Whether this guard alone decides about an attempt at a path that both cover. The portal serves a path that is written as in `match` by
    /// the more specific endpoint; which one it takes for another spelling is not known, so both decide there. A tenant's guard
    /// never replaces one of `deployment.toml`.
    pub fn supersedes(&self, other: &Self, path: &str) -> bool {
        let may_replace = other.is_tenant_defined || !self.is_tenant_defined;
        may_replace
            && self.reads_same_part_as(other)
            && self.endpoint.matches_exactly(path)
            && match self.endpoint.classes().cmp(&other.endpoint.classes()) {
                Ordering::Equal if other.endpoint.matches_exactly(path) => {
                    other.endpoint.has_rest() && !self.endpoint.has_rest()
                }
                Ordering::Greater | Ordering::Equal => true,
                Ordering::Less => false,
            }
    }

    /// Brings guards into an order in which none is superseded by a later one.
    pub fn sort_by_precision(guards: &mut [&Arc<Self>], path: &str) {
        guards.sort_by_cached_key(|guard| {
            let endpoint = &guard.endpoint;
            Reverse((endpoint.matches_exactly(path), endpoint.classes(), !endpoint.has_rest()))
        });
    }
}

impl LoginEndpoint {
    /// How precise each segment is, as in routes: a literal is more precise than `*`. `/login.php` may also serve the paths below
    /// it, so it is as precise as `/login.php/**`.
    fn classes(&self) -> Vec<bool> {
        let segments = self.pattern.trim_end_matches('/').split('/').skip(1);
        segments.filter(|segment| *segment != "**").map(|segment| segment != "*").collect()
    }

    fn has_rest(&self) -> bool {
        self.pattern.ends_with("/**")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::form, *};

    fn at(pattern: &str) -> LoginGuard {
        let guard = form();
        LoginGuard { endpoint: LoginEndpoint { pattern: pattern.to_owned(), ..guard.endpoint }, ..guard }
    }

    /// Attack: path info makes the guard of the program cover the address of another guard, which has its own signs of a failure.
    #[test]
    fn attack_overlapping_guard_evaluates_the_response() {
        // the pattern, the other pattern, the path, whether the first alone decides, whether the second alone does
        for (one, other, path, deciding) in [
            ("/login.php/api", "/login.php", "/login.php/api", (true, false)),
            ("/login.php/**", "/login.php", "/login.php", (false, true)),
            ("/login.php/api", "/login.php/*", "/login.php/api", (true, false)),
            ("/login", "/**", "/login", (true, false)),
            ("/login", "/*", "/login", (true, false)),
            ("/login.php", "/login", "/login.php", (true, false)),
            ("/Login", "/login", "/Login", (true, false)),
            // how the portal reads the path is not known: `/login.php` may be a front controller
            ("/login.php/*", "/login.php", "/login.php/api", (false, false)),
            ("/login.php/**", "/login.php", "/login.php/api", (false, false)),
            ("/login.php/api", "/login.php", "/login.php/API", (false, false)),
            ("/login.php/api", "/login.php", "/login.php/api/", (false, false)),
            ("/login.php/api", "/login.php", "/login.php%2fapi", (false, false)),
            ("/login", "/**", "/Login", (false, false)),
            ("/login", "/*", "/login.json", (false, false)),
            ("/login.php", "/*/api", "/login.php/api", (false, false)),
            // the same address twice
            ("/login", "/login", "/login", (false, false)),
        ] {
            let [first, second] = [at(one), at(other)].map(Arc::new);
            let found = (first.supersedes(&second, path), second.supersedes(&first, path));
            assert_eq!(found, deciding, "{one} {other} {path}");
            for mut guards in [[&first, &second], [&second, &first]] {
                LoginGuard::sort_by_precision(&mut guards, path);
                let [first, second] = guards;
                assert!(!second.supersedes(first, path), "{one} {other} {path}");
            }
        }
    }

    #[test]
    fn guards_of_a_tenant_and_of_another_kind_replace_none() {
        let (precise, wide) = (at("/login"), at("/**"));
        let of_tenant = |guard: &LoginGuard| LoginGuard { is_tenant_defined: true, ..guard.clone() };
        assert!(!of_tenant(&precise).supersedes(&wide, "/login"));
        assert!(of_tenant(&precise).supersedes(&of_tenant(&wide), "/login"));
        assert!(precise.supersedes(&of_tenant(&wide), "/login"));
        let basic = LoginGuard { name_source: super::super::LoginNameSource::Basic, ..wide };
        assert!(!precise.supersedes(&basic, "/login"));
    }
}
