//! Audit records: which actor changed which setting.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
};

mod json_diff;

pub use json_diff::diff_json;

use super::{tenant::TenantId, time::Timestamp};

/// Replaces a secret value in an audit record.
pub const REDACTED: &str = "(secret)";

/// The actor of an administrator action, and the origin of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    /// The tenant of the administrator; `None` for an actor on the command line of the host.
    pub tenant: Option<TenantId>,
    pub credential: ActorCredential,
    pub address: Option<IpAddr>,
    /// As in the access log.
    pub request_id: Option<String>,
}

/// How the actor was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorCredential {
    /// The command line of the host: access to the host is the credential.
    CommandLine,
    /// The password of a Doorward account.
    Account,
    /// A token of this issuer, which chooses the names of its users.
    Token(TokenIssuer),
}

/// The issuer of the actor's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIssuer {
    pub issuer: String,
    /// The issuer is configured in the tenant's file, so anyone who can write that file controls it.
    pub is_tenant_defined: bool,
}

/// `alex@acme.com` is a Doorward account; a token subject has a suffix: `alex@acme.com (token of https://idp.acme.com)`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.credential {
            ActorCredential::Token(_) => escape(&self.name, f)?,
            ActorCredential::CommandLine | ActorCredential::Account => f.write_str(&self.name)?,
        }
        if let Some(tenant) = &self.tenant {
            write!(f, "@{tenant}")?;
        }
        if let ActorCredential::Token(TokenIssuer { issuer, is_tenant_defined: of_tenant_file }) =
            &self.credential
        {
            f.write_str(if *of_tenant_file { " (token of the tenant's own " } else { " (token of " })?;
            escape(issuer, f)?;
            f.write_char(')')?;
        }
        Ok(())
    }
}

/// Escapes blanks and brackets in names that an issuer chooses, so that they cannot imitate the text around them.
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

/// One change by an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAction {
    /// `governance.update`
    pub action: &'static str,
    /// The property or the file.
    pub target: String,
    /// `None`: no value was set, and the inherited one applied.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// An administrator action as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Ascending in the order of the changes.
    pub id: u64,
    pub at: Timestamp,
    /// The tenant whose settings were changed.
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
            credential: if tenant.is_some() {
                ActorCredential::Account
            } else {
                ActorCredential::CommandLine
            },
            address: None,
            request_id: None,
        };
        assert_eq!(actor(Some("acme.com")).to_string(), "alex@acme.com");
        assert_eq!(actor(None).to_string(), "alex");
    }

    /// Attack: an issuer configured by a tenant uses the name of another issuer and of its users.
    #[test]
    fn attack_token_subject_imitates_an_account() {
        let text = |name: &str, issuer: &str, of_tenant_file| {
            let proof = ActorCredential::Token(TokenIssuer {
                issuer: issuer.to_owned(),
                is_tenant_defined: of_tenant_file,
            });
            let tenant = TenantId::parse("acme.com").ok();
            Actor { name: name.to_owned(), tenant, credential: proof, address: None, request_id: None }
                .to_string()
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
