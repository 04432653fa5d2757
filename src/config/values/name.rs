//! Names: tenants, hosts, cookies, algorithms, claims.

use jsonwebtoken::Algorithm;

use crate::{
    config::{
        model::HostPattern,
        secret::Secret,
        text_form::{AsText, InvalidValue, TextForm},
    },
    domain::tenant::TenantId,
};

impl TextForm for TenantId {
    const EXPECTED: &'static str = "a tenant domain such as \"acme.example.com\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        Self::parse(written).map_err(|problem| InvalidValue::new(format!("{written:?}: {problem}")))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// A host name in lower case, without port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(pub String);

impl TextForm for HostName {
    const EXPECTED: &'static str = "a host name without port, such as \"acme.example.com\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let name = written.to_ascii_lowercase();
        let is_v6 = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
        if is_v6 || is_host(&name) {
            Ok(Self(name))
        } else {
            Err(InvalidValue::new(format!("{written:?} is not a host name")))
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// Host names that tenants' files may claim: `*`, `.tenants.example.com` or one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMatcher(pub String);

impl TextForm for HostMatcher {
    const EXPECTED: &'static str = "a host name, a suffix such as \".tenants.example.com\", or \"*\" for any";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let name = written.to_ascii_lowercase();
        let is_suffix = name.strip_prefix('.').is_some_and(is_host);
        if name == "*" || is_suffix {
            return Ok(Self(name));
        }
        HostName::from_text(&name).map(|host| Self(host.0))
    }

    fn to_text(&self) -> String {
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

impl TextForm for HostPattern {
    const EXPECTED: &'static str = "a host name with {tenant} in it, such as \"{tenant}.portal.example.com\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let written = written.to_ascii_lowercase();
        let bad = || InvalidValue::new(format!("{written:?} is not a host name with one {{tenant}} in it"));
        let (before, after) = written.split_once("{tenant}").ok_or_else(bad)?;
        // any tenant name makes a host name of it, so one sample is sufficient
        if after.is_empty() && before.is_empty() || !is_host(&format!("{before}x{after}")) {
            return Err(bad());
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    fn to_text(&self) -> String {
        format!("{}{{tenant}}{}", self.before, self.after)
    }
}

/// The name of a cookie; empty where no cookie is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieName(pub Option<String>);

impl TextForm for CookieName {
    const EXPECTED: &'static str = "the name of a cookie, or \"\" for none";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        match written {
            "" => Ok(Self(None)),
            name if name.bytes().all(is_token_byte) => Ok(Self(Some(name.to_owned()))),
            name => Err(InvalidValue::new(format!("{name:?} is not the name of a cookie"))),
        }
    }

    fn to_text(&self) -> String {
        self.0.clone().unwrap_or_default()
    }
}

/// RFC 9110 `tchar`.
pub fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// A text that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotEmpty(pub String);

impl NotEmpty {
    pub fn into_texts(written: Vec<AsText<Self>>) -> Vec<String> {
        written.into_iter().map(|AsText(text)| text.0).collect()
    }

    /// The written form of `texts`.
    pub fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<AsText<Self>> {
        texts.into_iter().map(|text| AsText(Self(text.clone()))).collect()
    }
}

impl TextForm for NotEmpty {
    const EXPECTED: &'static str = "a text that is not empty";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if written.is_empty() || written.chars().any(char::is_control) {
            Err(InvalidValue::new("this text is empty or has control characters"))
        } else {
            Ok(Self(written.to_owned()))
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// RFC 6749 scope-token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthScope(pub String);

impl TextForm for OAuthScope {
    const EXPECTED: &'static str = "one scope such as \"apim:subscribe\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let fits = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        if !written.is_empty() && written.bytes().all(fits) {
            Ok(Self(written.to_owned()))
        } else {
            Err(InvalidValue::new(format!("{written:?} is not one scope")))
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// Asymmetric algorithms only: with a shared secret, a verifier of tokens could also issue them.
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

impl TextForm for Algorithm {
    const EXPECTED: &'static str = "one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let known = ALGORITHMS.iter().find(|(name, _)| *name == written).map(|(_, algorithm)| *algorithm);
        known.ok_or_else(|| {
            InvalidValue::new(if written.starts_with("HS") {
                format!("{written:?} signs with a shared secret: who can verify such a token can issue one")
            } else {
                format!("{written:?} is not accepted as a signature")
            })
        })
    }

    fn to_text(&self) -> String {
        format!("{self:?}")
    }
}

impl TextForm for Secret {
    const EXPECTED: &'static str = "the secret in quotes; better: name a file with the `…_file` key";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if written.is_empty() {
            Err(InvalidValue::new("this secret is empty"))
        } else {
            Ok(Self::new(written))
        }
    }

    fn to_text(&self) -> String {
        "********".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_name_has_no_port_and_no_wildcard() {
        for written in ["a", "ACME.example.com", "127.0.0.1", "[::1]", "a_b.c"] {
            assert!(HostName::from_text(written).is_ok(), "{written}");
        }
        for written in ["", "a:80", "a/b", "a..b", ".a", "a.", "-a", "ä.de", "*.a", "a b", "::1"] {
            assert!(HostName::from_text(written).is_err(), "{written}");
        }
    }

    #[test]
    fn host_pattern_has_one_tenant_placeholder() {
        let pattern = HostPattern::from_text("{tenant}.Portal.example.com").unwrap();
        assert_eq!((pattern.before.as_str(), pattern.after.as_str()), ("", ".portal.example.com"));
        for written in
            ["", "portal.example.com", "{tenant}", "{tenant}.{tenant}.a", "{tenant}.a:80", "{tenant}/a"]
        {
            assert!(HostPattern::from_text(written).is_err(), "{written}");
        }
    }

    #[test]
    fn attack_algorithm_confusion_by_configuration() {
        for written in ["HS256", "HS512", "none", "None", "", "rs256"] {
            assert!(Algorithm::from_text(written).is_err(), "{written}");
        }
        for (name, algorithm) in ALGORITHMS {
            assert_eq!((Algorithm::from_text(name), algorithm.to_text()), (Ok(algorithm), name.to_owned()));
        }
    }
}
