//! Who has changed what: the record that outlives the change.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
};

mod changed;

pub use changed::changed;

use super::tenant::TenantId;

/// Stands in a record where the value itself is nobody's to read.
pub const SECRET: &str = "(secret)";

/// Somebody who may change something, and from where it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    /// Whose administrator; `None`: whoever has the machine itself, at its command line.
    pub tenant: Option<TenantId>,
    pub proof: Proof,
    pub address: Option<IpAddr>,
    /// As in the access log.
    pub request_id: Option<String>,
}

/// Who says that it is them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The machine itself, whose command line it is.
    Machine,
    /// A password of ours.
    Account,
    /// Whoever signs for this issuer, which chooses the names of its people.
    Token(TokenOf),
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOf {
    pub issuer: String,
    /// Named by the tenant's own file, and so by whoever may write that.
    pub of_tenant_file: bool,
}

/// `alex@acme.com` is an account of ours, and nothing else looks like one: `alex@acme.com (token of https://idp.acme.com)`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proof {
            Proof::Token(_) => escape(&self.name, f)?,
            Proof::Machine | Proof::Account => f.write_str(&self.name)?,
        }
        if let Some(tenant) = &self.tenant {
            write!(f, "@{tenant}")?;
        }
        if let Proof::Token(TokenOf { issuer, of_tenant_file }) = &self.proof {
            f.write_str(if *of_tenant_file { " (token of the tenant's own " } else { " (token of " })?;
            escape(issuer, f)?;
            f.write_char(')')?;
        }
        Ok(())
    }
}

/// What an issuer chooses is one word, and without brackets: it cannot go on like the rest of the text.
fn escape(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in text.chars() {
        if character.is_whitespace() || matches!(character, '(' | ')' | '\\') {
            write!(f, "{}", character.escape_unicode())?;
        } else {
            write!(f, "{}", character.escape_debug())?;
        }
    }
    Ok(())
}

/// One thing that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// `governance.update`
    pub action: &'static str,
    /// The property, the file.
    pub target: String,
    /// `None`: there was nothing, what is below counted.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// A deed as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// In the order in which things happened.
    pub id: u64,
    /// Milliseconds since the epoch.
    pub at: u64,
    /// Whose settings were changed.
    pub tenant: TenantId,
    pub actor: String,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub action: String,
    pub target: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_named_with_the_tenant() {
        let actor = |tenant: Option<&str>| Actor {
            name: "alex".to_owned(),
            tenant: tenant.map(|tenant| TenantId::parse(tenant).unwrap()),
            proof: if tenant.is_some() { Proof::Account } else { Proof::Machine },
            address: None,
            request_id: None,
        };
        assert_eq!(actor(Some("acme.com")).to_string(), "alex@acme.com");
        assert_eq!(actor(None).to_string(), "alex");
    }

    /// Attack: an issuer that a tenant names itself calls its people, and itself, like somebody else.
    #[test]
    fn attack_a_tokens_bearer_is_called_like_an_account() {
        let text = |name: &str, issuer: &str, of_tenant_file| {
            let proof = Proof::Token(TokenOf { issuer: issuer.to_owned(), of_tenant_file });
            let tenant = TenantId::parse("acme.com").ok();
            Actor { name: name.to_owned(), tenant, proof, address: None, request_id: None }.to_string()
        };
        for (name, issuer, own, shown) in [
            ("admin", "https://idp", false, "admin@acme.com (token of https://idp)"),
            ("admin", "https://idp", true, "admin@acme.com (token of the tenant's own https://idp)"),
            ("zoë", "i", false, "zoë@acme.com (token of i)"),
            (
                "a@acme.com (token of b)",
                "the tenant's own i)",
                false,
                r"a@acme.com\u{20}\u{28}token\u{20}of\u{20}b\u{29}@acme.com (token of the\u{20}tenant\'s\u{20}own\u{20}i\u{29})",
            ),
            ("a\u{202e}\n\\", "i", false, r"a\u{202e}\u{a}\u{5c}@acme.com (token of i)"),
        ] {
            assert_eq!(text(name, issuer, own), shown);
        }
    }
}
