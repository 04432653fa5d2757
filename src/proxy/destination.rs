//! Step 4, first part: which component responds to a path.

use super::ProxyState;
use crate::{config::Settings, domain::management};

/// Prefix of Doorward's own paths, in front of every portal.
pub const OWN_PATH_PREFIX: &str = "/.doorward/";

/// <https://w3c.github.io/webappsec-change-password-url/>
const CHANGE_PASSWORD_PATH: &str = "/.well-known/change-password";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    OwnPage,
    /// The management API at a public listener.
    ManagementApi,
    Portal,
}

impl Destination {
    pub fn of(state: &ProxyState, settings: &Settings, path: &str) -> Self {
        if settings.management.public
            && state.management_api.is_some()
            && management::match_path(path).is_some()
        {
            Self::ManagementApi
        } else if path.starts_with(OWN_PATH_PREFIX)
            // where password managers send users who want to change a password
            || (path == CHANGE_PASSWORD_PATH && state.accounts.is_some())
        {
            Self::OwnPage
        } else {
            Self::Portal
        }
    }
}
