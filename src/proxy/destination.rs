//! Step 4, first part: which component responds to a path.

use super::ProxyState;
use crate::{
    config::Settings,
    domain::{management, own_path},
};

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
        } else if path.starts_with(own_path::PREFIX)
            || (path == own_path::CHANGE_PASSWORD && state.accounts.is_some())
        {
            Self::OwnPage
        } else {
            Self::Portal
        }
    }
}
