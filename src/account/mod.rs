//! Use cases of accounts: login, password change, administration, and the lockout of all login channels.

mod administration;
mod audit;
mod audit_trail;
mod breach_list;
mod change_password;
mod device_cookie;
mod governance_service;
pub mod hashing;
mod import;
mod lockout;
mod lockout_log;
mod login;
mod login_error;
mod pending_attempts;
mod portal_login;
mod refusals;
mod services;

pub use self::{
    administration::{AdminError, CreateAccountError, NewUser},
    audit::GuardedName,
    change_password::{PasswordChangeError, PasswordChangeRequest, PasswordChanged},
    governance_service::{EffectiveProperties, GovernanceService, GovernanceServiceError},
    import::{IMPORT_BATCH, ImportError, ImportRowError, ImportedUser},
    lockout::{Lockout, LoginAttempt, Reservation, ReserveError},
    lockout_log::{LockoutLog, LogSubject},
    login::{LoginChannel, LoginOutcome, LoginRequest, LoginSuccess},
    login_error::{LoginError, PublicLoginError},
    portal_login::{PortalLoginClient, PortalLoginRefusal, PortalSession},
    services::{AccountDependencies, AccountServices},
};
