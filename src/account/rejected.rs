//! Why somebody was not let in: the whole truth for logs and metrics, and the one sentence a stranger may hear.

use super::hashing::Busy;
use crate::{
    domain::{
        account::Account,
        lockout::{Lock, LockoutSettings, message::Code},
    },
    telemetry::accounts::SignInOutcome,
};

#[derive(Debug, Clone, PartialEq)]
pub enum Rejected {
    /// A wrong password, or a name nobody has.
    BadCredentials,
    /// By wrong passwords.
    Locked(Lock),
    LockedByAdmin,
    Disabled,
    /// The password was right, and has to be changed first.
    PasswordExpired(Box<Account>),
    /// Too many passwords wait to be verified.
    Busy(Busy),
    /// The store does not answer.
    Unavailable,
}

/// What may be said at the door. Who does not have the password learns nothing about the account, unless the tenant says
/// that locks may be told (`account_lock.tell`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    WrongOrLocked,
    /// For so many minutes more; `None`: until somebody unlocks it.
    Locked {
        minutes: Option<u32>,
    },
    Disabled,
    MustChangePassword,
    Busy(Busy),
    Unavailable,
}

impl Rejected {
    pub fn told(&self, settings: &LockoutSettings, now: u64) -> Told {
        match self {
            Self::Locked(lock) if settings.tell => Told::Locked {
                minutes: lock.minutes_left(now).map(|minutes| u32::try_from(minutes).unwrap_or(u32::MAX)),
            },
            Self::LockedByAdmin if settings.tell => Told::Locked { minutes: None },
            Self::Disabled if settings.tell => Told::Disabled,
            Self::BadCredentials | Self::Locked(_) | Self::LockedByAdmin | Self::Disabled => {
                Told::WrongOrLocked
            }
            Self::PasswordExpired(_) => Told::MustChangePassword,
            Self::Busy(busy) => Told::Busy(*busy),
            Self::Unavailable => Told::Unavailable,
        }
    }

    /// WSO2's code, where it has one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::BadCredentials => Some(Code::InvalidCredentials),
            Self::Locked(_) => Some(Code::LockedByAttempts),
            Self::LockedByAdmin => Some(Code::LockedByAdmin),
            Self::Disabled => Some(Code::Disabled),
            Self::PasswordExpired(_) | Self::Busy { .. } | Self::Unavailable => None,
        }
    }

    pub(super) fn outcome(&self) -> SignInOutcome {
        match self {
            Self::BadCredentials => SignInOutcome::bad_credentials,
            Self::Locked(_) | Self::LockedByAdmin => SignInOutcome::locked,
            Self::Disabled => SignInOutcome::disabled,
            Self::PasswordExpired(_) => SignInOutcome::password_expired,
            Self::Busy { .. } => SignInOutcome::busy,
            Self::Unavailable => SignInOutcome::unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_hear_the_same_whatever_the_account() {
        for rejected in [
            Rejected::BadCredentials,
            Rejected::Locked(Lock::Until(1)),
            Rejected::Locked(Lock::UntilAdmin),
            Rejected::LockedByAdmin,
            Rejected::Disabled,
        ] {
            let told = rejected.told(&LockoutSettings::default(), 0);
            assert_eq!(told, Told::WrongOrLocked, "{rejected:?}");
        }
    }

    #[test]
    fn a_tenant_may_have_locks_told() {
        let settings = LockoutSettings { tell: true, ..LockoutSettings::default() };
        for (rejected, told) in [
            (Rejected::Locked(Lock::Until(61_000)), Told::Locked { minutes: Some(2) }),
            (Rejected::Locked(Lock::UntilAdmin), Told::Locked { minutes: None }),
            (Rejected::LockedByAdmin, Told::Locked { minutes: None }),
            (Rejected::Disabled, Told::Disabled),
            (Rejected::BadCredentials, Told::WrongOrLocked),
        ] {
            assert_eq!(rejected.told(&settings, 0), told, "{rejected:?}");
        }
    }

    #[test]
    fn logs_have_wso2s_codes() {
        for (rejected, code) in [
            (Rejected::BadCredentials, Some("17002")),
            (Rejected::Locked(Lock::UntilAdmin), Some("17003:MaxAttemptsExceeded")),
            (Rejected::LockedByAdmin, Some("17003:AdminInitiated")),
            (Rejected::Disabled, Some("17004")),
            (Rejected::Unavailable, None),
        ] {
            assert_eq!(rejected.code().map(Code::as_str), code);
        }
    }
}
