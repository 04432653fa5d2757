//! `[session]`, and `session` of a tenant's file

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    document::KeyPath,
    document_context::DocumentContext,
    text_form::AsText,
    values::duration::{Positive, positive_or_inherited},
};

/// Session lifetimes.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct SessionSection {
    /// A session that is not used this long has ended; at least 2m.
    #[schemars(extend("default" = "1h", "x-source" = "NIST SP 800-63B-4 §2.2.3"))]
    pub idle_timeout: Option<AsText<Positive>>,
    /// However much it is used, a session ends this long after sign-in.
    #[schemars(extend("default" = "24h", "x-source" = "NIST SP 800-63B-4 §2.2.3"))]
    pub lifetime: Option<AsText<Positive>>,
    /// Sessions of one account at a time, 1 to 1000: one more ends the one that was used longest ago.
    #[schemars(extend("default" = 20))]
    pub max_per_account: Option<u32>,
}

/// Session lifetimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    pub idle_timeout: Duration,
    pub lifetime: Duration,
    pub max_per_account: usize,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_hours(1),
            lifetime: Duration::from_hours(24),
            max_per_account: 20,
        }
    }
}

impl SessionSection {
    #[must_use]
    pub fn validated(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Self {
        scope.check_range(&key.name("max_per_account"), self.max_per_account, 1..=1_000);
        if let Some(AsText(idle)) = &self.idle_timeout
            && idle.0 < Duration::from_mins(2)
        {
            let remedy = "write at least \"2m\": when a session was used last is written once a minute";
            scope.mistake(&key.name("idle_timeout"), "this is shorter than can be measured", remedy);
        }
        self
    }

    pub fn inherit_from(&self, below: &SessionSettings) -> SessionSettings {
        SessionSettings {
            idle_timeout: positive_or_inherited(self.idle_timeout.as_ref(), below.idle_timeout),
            lifetime: positive_or_inherited(self.lifetime.as_ref(), below.lifetime),
            max_per_account: self.max_per_account.map_or(below.max_per_account, |most| most as usize),
        }
    }
}

impl From<&SessionSettings> for SessionSection {
    fn from(session: &SessionSettings) -> Self {
        Self {
            idle_timeout: Some(AsText(Positive(session.idle_timeout))),
            lifetime: Some(AsText(Positive(session.lifetime))),
            max_per_account: u32::try_from(session.max_per_account).ok(),
        }
    }
}
