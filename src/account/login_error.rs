//! Why a login was rejected: in full for logs and metrics, and as a public error for the client.

use super::hashing::HasherBusy;
use crate::{
    domain::lockout::{LockedUntil, LockoutSettings, message::LoginErrorCode},
    telemetry::account_metrics::SignInOutcome,
};

#[derive(Debug, Clone, PartialEq)]
pub enum LoginError {
    /// A wrong password, or an unknown name.
    BadCredentials,
    /// Locked by failed attempts.
    Locked(LockedUntil),
    LockedByAdmin,
    Disabled,
    /// Too many passwords wait to be verified.
    Busy(HasherBusy),
    /// The store does not answer.
    Unavailable,
}

/// The error for the client. It discloses nothing about the account unless the tenant discloses locks
/// (`account_lock.show_failure_reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicLoginError {
    InvalidCredentials,
    /// The remaining minutes; `None`: until an administrator unlocks.
    Locked {
        minutes: Option<u32>,
    },
    Disabled,
    Busy(HasherBusy),
    Unavailable,
}

impl LoginError {
    pub fn public_error(&self, settings: &LockoutSettings, now: u64) -> PublicLoginError {
        match self {
            Self::Locked(lock) if settings.discloses_locks => PublicLoginError::Locked {
                minutes: lock.minutes_left(now).map(|minutes| u32::try_from(minutes).unwrap_or(u32::MAX)),
            },
            Self::LockedByAdmin if settings.discloses_locks => PublicLoginError::Locked { minutes: None },
            Self::Disabled if settings.discloses_locks => PublicLoginError::Disabled,
            Self::BadCredentials | Self::Locked(_) | Self::LockedByAdmin | Self::Disabled => {
                PublicLoginError::InvalidCredentials
            }
            Self::Busy(busy) => PublicLoginError::Busy(*busy),
            Self::Unavailable => PublicLoginError::Unavailable,
        }
    }

    /// WSO2's code, where it has one.
    pub fn code(&self) -> Option<LoginErrorCode> {
        match self {
            Self::BadCredentials => Some(LoginErrorCode::InvalidCredentials),
            Self::Locked(_) => Some(LoginErrorCode::LockedByAttempts),
            Self::LockedByAdmin => Some(LoginErrorCode::LockedByAdmin),
            Self::Disabled => Some(LoginErrorCode::Disabled),
            Self::Busy { .. } | Self::Unavailable => None,
        }
    }

    pub(super) fn metric_label(&self) -> SignInOutcome {
        match self {
            Self::BadCredentials => SignInOutcome::bad_credentials,
            Self::Locked(_) | Self::LockedByAdmin => SignInOutcome::locked,
            Self::Disabled => SignInOutcome::disabled,
            Self::Busy { .. } => SignInOutcome::busy,
            Self::Unavailable => SignInOutcome::unavailable,
        }
    }
}

impl From<HasherBusy> for LoginError {
    fn from(busy: HasherBusy) -> Self {
        Self::Busy(busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_error_is_equal_for_every_account_state() {
        for rejected in [
            LoginError::BadCredentials,
            LoginError::Locked(LockedUntil::Time(1)),
            LoginError::Locked(LockedUntil::Admin),
            LoginError::LockedByAdmin,
            LoginError::Disabled,
        ] {
            let told = rejected.public_error(&LockoutSettings::default(), 0);
            assert_eq!(told, PublicLoginError::InvalidCredentials, "{rejected:?}");
        }
    }

    #[test]
    fn discloses_locks_if_the_tenant_allows_it() {
        let settings = LockoutSettings { discloses_locks: true, ..LockoutSettings::default() };
        for (rejected, told) in [
            (LoginError::Locked(LockedUntil::Time(61_000)), PublicLoginError::Locked { minutes: Some(2) }),
            (LoginError::Locked(LockedUntil::Admin), PublicLoginError::Locked { minutes: None }),
            (LoginError::LockedByAdmin, PublicLoginError::Locked { minutes: None }),
            (LoginError::Disabled, PublicLoginError::Disabled),
            (LoginError::BadCredentials, PublicLoginError::InvalidCredentials),
        ] {
            assert_eq!(rejected.public_error(&settings, 0), told, "{rejected:?}");
        }
    }

    #[test]
    fn log_codes_are_wso2_codes() {
        for (rejected, code) in [
            (LoginError::BadCredentials, Some("17002")),
            (LoginError::Locked(LockedUntil::Admin), Some("17003:MaxAttemptsExceeded")),
            (LoginError::LockedByAdmin, Some("17003:AdminInitiated")),
            (LoginError::Disabled, Some("17004")),
            (LoginError::Unavailable, None),
        ] {
            assert_eq!(rejected.code().map(LoginErrorCode::as_str), code);
        }
    }
}
