//! Names: tenants, hosts, cookies, algorithms, claims.

use jsonwebtoken::Algorithm;

use crate::{
    config::{model::HostPattern, raw::text::Text, secret::Secret},
    domain::tenant::TenantId,
};

impl Text for TenantId {
    const WHAT: &'static str = "a tenant domain such as \"acme.example.com\"";

    fn read(written: &str) -> Result<Self, String> {
        Self::parse(written).map_err(|problem| format!("{written:?}: {problem}"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A host name in lower case, without port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(pub String);

impl Text for HostName {
    const WHAT: &'static str = "a host name without port, such as \"acme.example.com\"";

    fn read(written: &str) -> Result<Self, String> {
        let name = written.to_ascii_lowercase();
        let is_v6 = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
        if is_v6 || is_host(&name) { Ok(Self(name)) } else { Err(format!("{written:?} is not a host name")) }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// Host names that tenants' files may claim: `*`, `.tenants.example.com` or one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimable(pub String);

impl Text for Claimable {
    const WHAT: &'static str = "a host name, a suffix such as \".tenants.example.com\", or \"*\" for any";

    fn read(written: &str) -> Result<Self, String> {
        let name = written.to_ascii_lowercase();
        let is_suffix = name.strip_prefix('.').is_some_and(is_host);
        if name == "*" || is_suffix {
            return Ok(Self(name));
        }
        HostName::read(&name).map(|host| Self(host.0))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

fn is_host(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl Text for HostPattern {
    const WHAT: &'static str = "a host name with {tenant} in it, such as \"{tenant}.portal.example.com\"";

    fn read(written: &str) -> Result<Self, String> {
        let written = written.to_ascii_lowercase();
        let bad = || format!("{written:?} is not a host name with one {{tenant}} in it");
        let (before, after) = written.split_once("{tenant}").ok_or_else(bad)?;
        // any tenant name makes a host name of it, so a sample one tells
        if after.is_empty() && before.is_empty() || !is_host(&format!("{before}x{after}")) {
            return Err(bad());
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    fn show(&self) -> String {
        format!("{}{{tenant}}{}", self.before, self.after)
    }
}

/// The name of a cookie; empty where no cookie is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieName(pub Option<String>);

impl Text for CookieName {
    const WHAT: &'static str = "the name of a cookie, or \"\" for none";

    fn read(written: &str) -> Result<Self, String> {
        match written {
            "" => Ok(Self(None)),
            name if name.bytes().all(is_token_byte) => Ok(Self(Some(name.to_owned()))),
            name => Err(format!("{name:?} is not the name of a cookie")),
        }
    }

    fn show(&self) -> String {
        self.0.clone().unwrap_or_default()
    }
}

/// RFC 9110 `tchar`.
pub fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// A text that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotEmpty(pub String);

impl Text for NotEmpty {
    const WHAT: &'static str = "a text that is not empty";

    fn read(written: &str) -> Result<Self, String> {
        if written.is_empty() || written.chars().any(char::is_control) {
            Err("this text is empty or has control characters".to_owned())
        } else {
            Ok(Self(written.to_owned()))
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// RFC 6749 scope-token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(pub String);

impl Text for Scope {
    const WHAT: &'static str = "one scope such as \"apim:subscribe\"";

    fn read(written: &str) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        if !written.is_empty() && written.bytes().all(fits) {
            Ok(Self(written.to_owned()))
        } else {
            Err(format!("{written:?} is not one scope"))
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// The asymmetric ones: with a shared secret whoever checks tokens could also make them.
pub const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

impl Text for Algorithm {
    const WHAT: &'static str = "one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";

    fn read(written: &str) -> Result<Self, String> {
        let known = ALGORITHMS.iter().find(|(name, _)| *name == written).map(|(_, algorithm)| *algorithm);
        known.ok_or_else(|| {
            if written.starts_with("HS") {
                format!("{written:?} signs with a shared secret: whoever can check such a token can make one")
            } else {
                format!("{written:?} is not accepted as a signature")
            }
        })
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Text for Secret {
    const WHAT: &'static str = "the secret in quotes; better: name a file with the `…_file` key";

    fn read(written: &str) -> Result<Self, String> {
        if written.is_empty() { Err("this secret is empty".to_owned()) } else { Ok(Self::new(written)) }
    }

    fn show(&self) -> String {
        "********".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for written in ["a", "ACME.example.com", "127.0.0.1", "[::1]", "a_b.c"] {
            assert!(HostName::read(written).is_ok(), "{written}");
        }
        for written in ["", "a:80", "a/b", "a..b", ".a", "a.", "-a", "ä.de", "*.a", "a b", "::1"] {
            assert!(HostName::read(written).is_err(), "{written}");
        }
    }

    #[test]
    fn host_patterns() {
        let pattern = HostPattern::read("{tenant}.Portal.example.com").unwrap();
        assert_eq!((pattern.before.as_str(), pattern.after.as_str()), ("", ".portal.example.com"));
        for written in
            ["", "portal.example.com", "{tenant}", "{tenant}.{tenant}.a", "{tenant}.a:80", "{tenant}/a"]
        {
            assert!(HostPattern::read(written).is_err(), "{written}");
        }
    }

    #[test]
    fn algorithm_confusion_cannot_be_configured() {
        for written in ["HS256", "HS512", "none", "None", "", "rs256"] {
            assert!(Algorithm::read(written).is_err(), "{written}");
        }
        for (name, algorithm) in ALGORITHMS {
            assert_eq!((Algorithm::read(name), algorithm.show()), (Ok(algorithm), name.to_owned()));
        }
    }
}
