//! Why a login was rejected: in full for logs and metrics, and as a public error for the client.

use std::time::Duration;

use super::{
    CalibrationError, ReserveError,
    hashing::{BusyCause, HasherBusy},
};
use crate::{
    crypto::RandomUnavailable,
    domain::{
        lockout::{LockedUntil, LockoutSettings, message::LoginErrorCode},
        time::Timestamp,
    },
    store::StoreError,
    telemetry::account_metrics::SignInOutcome,
};

#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("a wrong password, or an unknown name")]
    BadCredentials,
    #[error("locked by failed attempts")]
    Locked(LockedUntil),
    #[error("locked by an administrator")]
    LockedByAdmin,
    #[error("disabled")]
    Disabled,
    #[error(transparent)]
    Busy(#[from] HasherBusy),
    /// Without the store no attempt can be counted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No device cookie can be issued.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

/// The error for the client. It discloses nothing about the account unless the tenant discloses locks
/// (`account_lock.show_failure_reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicLoginError {
    InvalidCredentials,
    Locked {
        /// `None`: until an administrator unlocks.
        remaining: Option<Duration>,
    },
    Disabled,
    Busy(HasherBusy),
    Unavailable,
}

impl LoginError {
    pub fn public_error(&self, settings: &LockoutSettings, now: Timestamp) -> PublicLoginError {
        match self {
            Self::Locked(lock) if settings.discloses_locks => {
                PublicLoginError::Locked { remaining: lock.remaining(now) }
            }
            Self::LockedByAdmin if settings.discloses_locks => PublicLoginError::Locked { remaining: None },
            Self::Disabled if settings.discloses_locks => PublicLoginError::Disabled,
            Self::BadCredentials | Self::Locked(_) | Self::LockedByAdmin | Self::Disabled => {
                PublicLoginError::InvalidCredentials
            }
            Self::Busy(busy) => PublicLoginError::Busy(*busy),
            Self::Store(_) | Self::Random(_) => PublicLoginError::Unavailable,
        }
    }

    /// WSO2's code, where it has one.
    pub fn code(&self) -> Option<LoginErrorCode> {
        match self {
            Self::BadCredentials => Some(LoginErrorCode::InvalidCredentials),
            Self::Locked(_) => Some(LoginErrorCode::LockedByAttempts),
            Self::LockedByAdmin => Some(LoginErrorCode::LockedByAdmin),
            Self::Disabled => Some(LoginErrorCode::Disabled),
            Self::Busy(_) | Self::Store(_) | Self::Random(_) => None,
        }
    }

    /// Logs a fault of Doorward; all other rejections are in the audit log.
    pub(super) fn log_fault(&self) {
        match self {
            Self::Store(error) => tracing::error!(%error, "logins rejected: the store is not available"),
            Self::Random(error) => {
                tracing::error!(%error, "login rejected: failed to issue a device cookie");
            }
            _ => {}
        }
    }

    pub(super) fn metric_label(&self) -> SignInOutcome {
        match self {
            Self::BadCredentials => SignInOutcome::bad_credentials,
            Self::Locked(_) | Self::LockedByAdmin => SignInOutcome::locked,
            Self::Disabled => SignInOutcome::disabled,
            Self::Busy(_) => SignInOutcome::busy,
            Self::Store(_) | Self::Random(_) => SignInOutcome::unavailable,
        }
    }
}

impl From<CalibrationError> for LoginError {
    fn from(error: CalibrationError) -> Self {
        match error {
            CalibrationError::Store(error) => Self::Store(error),
            CalibrationError::Busy(busy) => Self::Busy(busy),
        }
    }
}

impl From<ReserveError> for LoginError {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Refused(refused) => Self::Locked(refused.until),
            ReserveError::Busy { retry_after } => {
                Self::Busy(HasherBusy { retry_after, cause: BusyCause::SameName })
            }
            ReserveError::Store(error) => Self::Store(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_error_is_equal_for_every_account_state() {
        for rejected in [
            LoginError::BadCredentials,
            LoginError::Locked(LockedUntil::Time(Timestamp::from_millis(1))),
            LoginError::Locked(LockedUntil::Admin),
            LoginError::LockedByAdmin,
            LoginError::Disabled,
        ] {
            let told = rejected.public_error(&LockoutSettings::default(), Timestamp::EPOCH);
            assert_eq!(told, PublicLoginError::InvalidCredentials, "{rejected:?}");
        }
    }

    #[test]
    fn discloses_locks_if_the_tenant_allows_it() {
        let settings = LockoutSettings { discloses_locks: true, ..LockoutSettings::default() };
        let remaining = Duration::from_secs(61);
        let locked = LoginError::Locked(LockedUntil::Time(Timestamp::EPOCH + remaining));
        for (rejected, told) in [
            (locked, PublicLoginError::Locked { remaining: Some(remaining) }),
            (LoginError::Locked(LockedUntil::Admin), PublicLoginError::Locked { remaining: None }),
            (LoginError::LockedByAdmin, PublicLoginError::Locked { remaining: None }),
            (LoginError::Disabled, PublicLoginError::Disabled),
            (LoginError::BadCredentials, PublicLoginError::InvalidCredentials),
        ] {
            assert_eq!(rejected.public_error(&settings, Timestamp::EPOCH), told, "{rejected:?}");
        }
    }

    #[test]
    fn log_codes_are_wso2_codes() {
        for (rejected, code) in [
            (LoginError::BadCredentials, Some("17002")),
            (LoginError::Locked(LockedUntil::Admin), Some("17003:MaxAttemptsExceeded")),
            (LoginError::LockedByAdmin, Some("17003:AdminInitiated")),
            (LoginError::Disabled, Some("17004")),
            (LoginError::Store(StoreError::Unavailable(String::new())), None),
        ] {
            assert_eq!(rejected.code().map(LoginErrorCode::as_str), code);
        }
    }
}
