//! Paths of the portal: prefixes, route patterns and the way to sign-in.

use super::web::web_url;
use crate::{
    config::raw::text::Text,
    domain::{guard::Carrier, path::is_path_byte, return_address::ReturnAddress, route::parse_rule},
};

/// `/` or `/api/v1`: whole segments, no final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(pub String);

impl Text for Prefix {
    const WHAT: &'static str = "\"/\" or a path prefix in whole segments such as \"/api\"";

    fn read(written: &str) -> Result<Self, String> {
        let trimmed = written.strip_suffix('/').unwrap_or(written);
        let plain = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && !b"?#%\\*;[]|".contains(&b) && is_path_byte(b))
        };
        match trimmed.strip_prefix('/') {
            None if written == "/" => Ok(Self("/".to_owned())),
            Some(rest) if rest.split('/').all(plain) => Ok(Self(trimmed.to_owned())),
            _ => Err(format!("{written:?} is not a path prefix")),
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// `GET,HEAD /docs/**`: methods (none: all of them) and a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub methods: Vec<String>,
    pub pattern: String,
}

impl Text for Match {
    const WHAT: &'static str =
        "methods (or none for all) and a path pattern, such as \"GET,HEAD /docs/**\" or \"/assets/**\"";

    fn read(written: &str) -> Result<Self, String> {
        let (methods, pattern) = parse_rule(written).map_err(|bad| bad.to_string())?;
        Ok(Self { methods, pattern })
    }

    fn show(&self) -> String {
        if self.methods.is_empty() {
            self.pattern.clone()
        } else {
            format!("{} {}", self.methods.join(","), self.pattern)
        }
    }
}

/// Where visitors sign in; `none` where nobody signs in with a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInUrl(pub Option<String>);

/// The rule that keeps a sign-in page of our own reachable: `{tenant}` is any segment.
pub fn open_path(address: &str) -> String {
    address.replace("{tenant}", "*")
}

pub const PLACEHOLDERS: [&str; 3] = ["{tenant}", "{return_url}", "{return_path}"];

impl Text for SignInUrl {
    const WHAT: &'static str = "an absolute path, an http(s):// URL (with {tenant}, {return_url} or {return_path} where needed), or \"none\"";

    fn read(written: &str) -> Result<Self, String> {
        if written == "none" {
            return Ok(Self(None));
        }
        if written.is_empty() {
            return Err("there is no address here".to_owned());
        }
        // `{return_…}` holds what the visitor asked for: it must not decide which host or path is meant
        let address = written.split(['?', '#']).next().unwrap_or_default();
        if address.contains("{return_") {
            return Err(format!("{written:?} has a return address before the `?`"));
        }
        let filled = PLACEHOLDERS.iter().fold(written.to_owned(), |text, name| text.replace(name, "x"));
        if filled.contains(['{', '}']) {
            return Err(format!("{written:?} has a placeholder that is not known"));
        }
        let on_our_origin = filled.starts_with('/') && !filled.starts_with("//");
        let text = filled.replacen('#', "?", 1);
        if on_our_origin {
            let whole = address.split('/').all(|part| part == "{tenant}" || !part.contains("{tenant}"));
            if !whole {
                return Err(format!("{written:?}: {{tenant}} must be a whole segment of the path"));
            }
            // the path becomes a rule, so it has to be one
            parse_rule(&open_path(address)).map_err(|bad| bad.to_string())?;
            web_url(&format!("http://localhost{text}"))
                .map_err(|_| format!("{written:?} is not an address"))?;
        } else {
            web_url(&text)?;
        }
        Ok(Self(Some(written.to_owned())))
    }

    fn show(&self) -> String {
        self.0.clone().unwrap_or_else(|| "none".to_owned())
    }
}

/// `/login?error`: a path of our own origin, with or without a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress(pub String);

impl Text for LocalAddress {
    const WHAT: &'static str = "an absolute path, with or without a query, such as \"/login?error\"";

    fn read(written: &str) -> Result<Self, String> {
        match ReturnAddress::parse(written) {
            Some(address) if address.as_str() == written => Ok(Self(written.to_owned())),
            _ => Err(format!("{written:?} is not a path on this origin")),
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// `cookie:sid`, `field:flow` or `query:execution`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameFrom(pub Carrier);

impl Text for NameFrom {
    const WHAT: &'static str = "\"cookie:NAME\", \"field:NAME\" or \"query:NAME\"";

    fn read(written: &str) -> Result<Self, String> {
        Carrier::parse(written)
            .map(Self)
            .ok_or_else(|| format!("{written:?} names no cookie, field or parameter"))
    }

    fn show(&self) -> String {
        self.0.to_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        for (written, prefix) in [("/", "/"), ("/api", "/api"), ("/api/", "/api"), ("/a/b", "/a/b")] {
            assert_eq!(Prefix::read(written).unwrap().0, prefix);
        }
        for written in
            ["", "api", "//", "/a//b", "/a/../b", "/a?b", "/a%2fb", "/a b", "/a/**", "/a;b", "/a[b]", "/a<b>"]
        {
            assert!(Prefix::read(written).is_err(), "{written}");
        }
    }

    #[test]
    fn matches() {
        for written in ["/assets/**", "GET /", "GET,HEAD /docs/*/x"] {
            assert_eq!(Match::read(written).unwrap().show(), written);
        }
        assert_eq!(Match::read("get /x").unwrap().show(), "GET /x");
        for written in
            ["", "GET", "GET, HEAD /x", "GET x", ",GET /x", "/a/**/b", "/a*", "/a?b", "/../a", "/a//b"]
        {
            assert!(Match::read(written).is_err(), "{written:?}");
        }
    }

    #[test]
    fn sign_in_addresses() {
        for written in [
            "/devportal/services/configs?tenant={tenant}",
            "https://idp.example.com/login?rd={return_url}",
            "https://{tenant}.idp.example.com/",
            "/login/{tenant}?next={return_path}",
            "https://idp.example.com/app#/login?next={return_url}",
        ] {
            assert_eq!(SignInUrl::read(written).unwrap().0.as_deref(), Some(written));
        }
        assert_eq!(SignInUrl::read("none"), Ok(SignInUrl(None)));
    }

    #[test]
    fn addresses_of_this_origin() {
        for written in ["/login?error", "/login", "/"] {
            assert_eq!(LocalAddress::read(written).unwrap().show(), written);
        }
        for written in
            ["", "login", "//evil.example", "/\\evil.example", "https://evil.example/", "/a/../b", "/a\r\nb"]
        {
            assert!(LocalAddress::read(written).is_err(), "{written:?}");
        }
    }

    #[test]
    fn open_redirect_by_sign_in_address() {
        for written in [
            "",
            "login",
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "{return_url}",
            "https://{return_path}/",
            "https://idp/{return_path}?x",
            "/x{tenant}",
            "/{user}",
            "https://u:p@idp/",
            "/a\r\nSet-Cookie:x",
        ] {
            assert!(SignInUrl::read(written).is_err(), "{written:?}");
        }
    }
}
