//! Paths of the portal: prefixes, route patterns and sign-in addresses.

use super::web::web_url;
use crate::{
    config::text_form::{InvalidValue, TextForm},
    domain::{guard::NameCarrier, path::is_path_byte, return_address::ReturnAddress, route::parse_rule},
};

/// `/` or `/api/v1`: whole segments, no final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(pub String);

impl TextForm for Prefix {
    const EXPECTED: &'static str = "\"/\" or a path prefix in whole segments such as \"/api\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
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
            _ => Err(InvalidValue::new(format!("{written:?} is not a path prefix"))),
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// `GET,HEAD /docs/**`: methods (none: all of them) and a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub methods: Vec<String>,
    pub pattern: String,
}

impl TextForm for Match {
    const EXPECTED: &'static str =
        "methods (or none for all) and a path pattern, such as \"GET,HEAD /docs/**\" or \"/assets/**\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let (methods, pattern) = parse_rule(written).map_err(|bad| InvalidValue::because(&bad))?;
        Ok(Self { methods, pattern })
    }

    fn to_text(&self) -> String {
        if self.methods.is_empty() {
            self.pattern.clone()
        } else {
            format!("{} {}", self.methods.join(","), self.pattern)
        }
    }
}

/// The sign-in address; `none` if sign-in with a browser is not available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInUrl(pub Option<String>);

/// The rule that keeps a sign-in page of our own reachable: `{tenant}` is any segment.
pub fn open_path(address: &str) -> String {
    address.replace("{tenant}", "*")
}

pub const PLACEHOLDERS: [&str; 3] = ["{tenant}", "{return_url}", "{return_path}"];

impl TextForm for SignInUrl {
    const EXPECTED: &'static str = "an absolute path, an http(s):// URL (with {tenant}, {return_url} or {return_path} where needed), or \"none\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if written == "none" {
            return Ok(Self(None));
        }
        if written.is_empty() {
            return Err(InvalidValue::new("there is no address here"));
        }
        // `{return_…}` holds an address chosen by the client: it must not determine host or path
        let address = written.split(['?', '#']).next().unwrap_or_default();
        if address.contains("{return_") {
            return Err(InvalidValue::new(format!("{written:?} has a return address before the `?`")));
        }
        let filled = PLACEHOLDERS.iter().fold(written.to_owned(), |text, name| text.replace(name, "x"));
        if filled.contains(['{', '}']) {
            return Err(InvalidValue::new(format!("{written:?} has a placeholder that is not known")));
        }
        let on_our_origin = filled.starts_with('/') && !filled.starts_with("//");
        let text = filled.replacen('#', "?", 1);
        if on_our_origin {
            let whole = address.split('/').all(|part| part == "{tenant}" || !part.contains("{tenant}"));
            if !whole {
                return Err(InvalidValue::new(format!(
                    "{written:?}: {{tenant}} must be a whole segment of the path"
                )));
            }
            // the path becomes a rule, so it has to be one
            parse_rule(&open_path(address)).map_err(|bad| InvalidValue::because(&bad))?;
            web_url(&format!("http://localhost{text}"))
                .map_err(|_| InvalidValue::new(format!("{written:?} is not an address")))?;
        } else {
            web_url(&text)?;
        }
        Ok(Self(Some(written.to_owned())))
    }

    fn to_text(&self) -> String {
        self.0.clone().unwrap_or_else(|| "none".to_owned())
    }
}

/// `/login?error`: a path of our own origin, with or without a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress(pub String);

impl TextForm for LocalAddress {
    const EXPECTED: &'static str = "an absolute path, with or without a query, such as \"/login?error\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        match ReturnAddress::parse(written) {
            Some(address) if address.as_str() == written => Ok(Self(written.to_owned())),
            _ => Err(InvalidValue::new(format!("{written:?} is not a path on this origin"))),
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// `cookie:sid`, `field:flow` or `query:execution`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameFrom(pub NameCarrier);

impl TextForm for NameFrom {
    const EXPECTED: &'static str = "\"cookie:NAME\", \"field:NAME\" or \"query:NAME\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        NameCarrier::parse(written)
            .map(Self)
            .ok_or_else(|| InvalidValue::new(format!("{written:?} names no cookie, field or parameter")))
    }

    fn to_text(&self) -> String {
        self.0.to_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_has_whole_plain_segments() {
        for (written, prefix) in [("/", "/"), ("/api", "/api"), ("/api/", "/api"), ("/a/b", "/a/b")] {
            assert_eq!(Prefix::from_text(written).unwrap().0, prefix);
        }
        for written in
            ["", "api", "//", "/a//b", "/a/../b", "/a?b", "/a%2fb", "/a b", "/a/**", "/a;b", "/a[b]", "/a<b>"]
        {
            assert!(Prefix::from_text(written).is_err(), "{written}");
        }
    }

    #[test]
    fn match_is_methods_and_one_pattern() {
        for written in ["/assets/**", "GET /", "GET,HEAD /docs/*/x"] {
            assert_eq!(Match::from_text(written).unwrap().to_text(), written);
        }
        assert_eq!(Match::from_text("get /x").unwrap().to_text(), "GET /x");
        for written in
            ["", "GET", "GET, HEAD /x", "GET x", ",GET /x", "/a/**/b", "/a*", "/a?b", "/../a", "/a//b"]
        {
            assert!(Match::from_text(written).is_err(), "{written:?}");
        }
    }

    #[test]
    fn sign_in_address_may_have_placeholders() {
        for written in [
            "/devportal/services/configs?tenant={tenant}",
            "https://idp.example.com/login?rd={return_url}",
            "https://{tenant}.idp.example.com/",
            "/login/{tenant}?next={return_path}",
            "https://idp.example.com/app#/login?next={return_url}",
        ] {
            assert_eq!(SignInUrl::from_text(written).unwrap().0.as_deref(), Some(written));
        }
        assert_eq!(SignInUrl::from_text("none"), Ok(SignInUrl(None)));
    }

    #[test]
    fn local_address_stays_on_this_origin() {
        for written in ["/login?error", "/login", "/"] {
            assert_eq!(LocalAddress::from_text(written).unwrap().to_text(), written);
        }
        for written in
            ["", "login", "//evil.example", "/\\evil.example", "https://evil.example/", "/a/../b", "/a\r\nb"]
        {
            assert!(LocalAddress::from_text(written).is_err(), "{written:?}");
        }
    }

    #[test]
    fn attack_open_redirect_by_sign_in_address() {
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
            assert!(SignInUrl::from_text(written).is_err(), "{written:?}");
        }
    }
}
