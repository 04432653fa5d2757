//! Who has changed what: the record that outlives the change.

use std::{fmt, net::IpAddr};

use super::tenant::TenantId;

/// Stands in a record where the value itself is nobody's to read.
pub const SECRET: &str = "(secret)";

/// Somebody who may change something, and from where it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    /// Whose administrator; `None`: whoever has the machine itself, at its command line.
    pub tenant: Option<TenantId>,
    pub address: Option<IpAddr>,
    /// As in the access log.
    pub request_id: Option<String>,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{}@{tenant}", self.name),
            None => f.write_str(&self.name),
        }
    }
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
            address: None,
            request_id: None,
        };
        assert_eq!(actor(Some("acme.com")).to_string(), "alex@acme.com");
        assert_eq!(actor(None).to_string(), "alex");
    }
}
