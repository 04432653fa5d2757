//! Which requests are sign-ins. A portal may tell `/login` from `/Login` or `/login/`, or not: to a guard they are one.

/// Methods (none: all of them) and a path pattern, as routes have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub methods: Vec<String>,
    /// `*` is one segment, a final `**` any rest.
    pub pattern: String,
}

impl Endpoint {
    /// `path` is in normal form.
    pub fn covers(&self, path: &str) -> bool {
        walk(segments(&self.pattern), segments(path), str::eq_ignore_ascii_case)
    }

    /// As `covers`, with every letter and slash as it is written.
    pub fn is_exactly(&self, path: &str) -> bool {
        walk(self.pattern.split('/'), path.split('/'), |wanted, found| wanted == found)
    }

    /// Whether a body sent with this method signs somebody in.
    pub fn takes(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|taken| taken == method)
    }
}

fn walk<'a>(
    mut wanted: impl Iterator<Item = &'a str>,
    mut found: impl Iterator<Item = &'a str>,
    is_same: impl Fn(&str, &str) -> bool,
) -> bool {
    loop {
        match (wanted.next(), found.next()) {
            (Some("**"), _) | (None, None) => return true,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(literal), Some(segment)) if is_same(literal, segment) => {}
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

    #[test]
    fn attack_another_spelling_of_the_address_is_the_same_sign_in() {
        for (pattern, path, covered) in [
            ("/login", "/login", true),
            ("/login", "/Login", true),
            ("/login", "/LOGIN/", true),
            ("/login/", "/login", true),
            ("/login", "/login/x", false),
            ("/login", "/logins", false),
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
            let endpoint = Endpoint { methods: Vec::new(), pattern: pattern.to_owned() };
            assert_eq!(endpoint.covers(path), covered, "{pattern} {path}");
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
            let endpoint = Endpoint { methods: Vec::new(), pattern: pattern.to_owned() };
            assert_eq!(endpoint.is_exactly(path), exactly, "{pattern} {path}");
        }
    }
}
