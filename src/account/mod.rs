//! Use cases of accounts: login, password change, administration, and the lockout of all login channels.

mod administration;
mod audit;
mod authenticator;
mod breach_list;
mod device_cookie;
mod hash_calibration;
pub mod hashing;
mod import;
mod lockout;
mod lockout_log;
mod login;
mod login_error;
mod new_password;
mod password_service;
mod pending_attempts;
mod portal_login;
mod refusals;
mod suffix_tenant;

pub use self::{
    administration::{AccountAdministration, AdminError, CreateAccountError, NewUser},
    audit::GuardedName,
    authenticator::Authenticator,
    hash_calibration::{CalibrationError, HashCalibration},
    import::{AccountImport, IMPORT_BATCH, ImportError, ImportedUser},
    lockout::{Lockout, LoginAttempt, Reservation, ReserveError},
    lockout_log::{LockoutLog, LogSubject},
    login::{LoginChannel, LoginOutcome, LoginRequest, LoginService, LoginSuccess},
    login_error::{LoginError, PublicLoginError},
    new_password::{NewPasswordError, NewPasswords},
    password_service::{PasswordChangeError, PasswordChangeRequest, PasswordChanged, PasswordService},
    portal_login::{CountingFault, PortalLoginClient, PortalLoginRefusal, PortalLoginService, PortalSession},
    suffix_tenant::suffix_tenant,
};
