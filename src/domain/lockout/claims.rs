//! WSO2's claims about the state of an account, computed on request, so they cannot be outdated.

use super::{Counter, LockState};
use crate::domain::{
    account::{Account, LockedReason},
    time::Timestamp,
};

pub const PREFIX: &str = "http://wso2.org/claims/identity/";

/// The claims that are stored with the account, because they cannot be computed.
pub const STORED_CLAIMS: [&str; 2] = ["failedLoginAttemptsBeforeSuccess", "accountConfirmedTime"];

/// The identity claims of an account whose name has this counter.
pub fn identity_claims(account: &Account, counter: &Counter, now: Timestamp) -> Vec<(String, String)> {
    let by_attempts = counter.locked_until.is_in_force(now);
    let reason = account.admin_lock.map(|lock| lock.reason);
    let locked = by_attempts || reason.is_some();
    // an administrator lock has no expiry, whatever the other lock has
    let unlock_time = match counter.locked_until {
        LockState::Until(until) if by_attempts && reason.is_none() => until.as_millis(),
        _ => 0,
    };
    let shown = reason.or(by_attempts.then_some(LockedReason::MaxAttemptsExceeded));
    let mut claims = vec![
        ("accountLocked", locked.to_string()),
        ("unlockTime", unlock_time.to_string()),
        ("failedLoginAttempts", counter.failures.to_string()),
        ("failedLoginLockoutCount", counter.lockouts.to_string()),
        ("lockedReason", shown.map_or("", LockedReason::as_str).to_owned()),
        ("accountState", account_state(account, locked).to_owned()),
        ("accountDisabled", account.disabled.to_string()),
        ("lastLoginTime", account.last_login_at.map_or_else(String::new, |at| at.as_millis().to_string())),
        ("lastPasswordUpdateTime", account.password_changed_at.as_millis().to_string()),
    ];
    let stored = |name| account.claims.get(name).map(|value| (name, value.clone()));
    claims.extend(STORED_CLAIMS.into_iter().filter_map(stored));
    claims.into_iter().map(|(name, value)| (format!("{PREFIX}{name}"), value)).collect()
}

/// `accountState`: pending has precedence over disabled, and disabled over locked.
fn account_state(account: &Account, locked: bool) -> &'static str {
    let pending = account.admin_lock.and_then(|lock| match lock.reason {
        LockedReason::PendingSelfRegistration => Some("PENDING_SR"),
        LockedReason::PendingEmailVerification => Some("PENDING_EV"),
        LockedReason::PendingAskPassword => Some("PENDING_AP"),
        LockedReason::PendingAdminForcedUserPasswordReset => Some("PENDING_FUPR"),
        LockedReason::AdminInitiated | LockedReason::MaxAttemptsExceeded | LockedReason::IdleAccount => None,
    });
    match pending {
        Some(pending) => pending,
        None if account.disabled => "DISABLED",
        None if locked => "LOCKED",
        None => "UNLOCKED",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::domain::{
        account::{AccountId, AdminLock},
        tenant::TenantId,
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn account(disabled: bool, reason: Option<LockedReason>) -> Account {
        Account {
            id: AccountId::parse("00000000000000000000000000000a1e").unwrap(),
            tenant: TenantId::super_tenant(),
            user_store: "PRIMARY".to_owned(),
            username: "alex".to_owned(),
            email: None,
            mobile: None,
            given_name: None,
            family_name: None,
            roles: Vec::new(),
            disabled,
            admin_lock: reason.map(|reason| AdminLock { reason, since: NOW }),
            must_change_password: false,
            password_changed_at: Timestamp::from_millis(1),
            created_at: Timestamp::EPOCH,
            last_login_at: Some(Timestamp::from_millis(2)),
            claims: BTreeMap::from([("failedLoginAttemptsBeforeSuccess".to_owned(), "7".to_owned())]),
        }
    }

    fn counter(locked_until: LockState) -> Counter {
        Counter { failures: 3, lockouts: 2, locked_until, ..Counter::default() }
    }

    #[test]
    fn identity_claims_have_wso2_values() {
        use LockedReason::{AdminInitiated, IdleAccount, PendingAskPassword, PendingSelfRegistration};
        let (open, timed, admin) =
            (LockState::None, LockState::Until(NOW + Duration::from_millis(1)), LockState::UntilAdmin);
        // disabled, reason, lock → accountLocked, unlockTime, lockedReason, accountState
        for (disabled, reason, lock, expected) in [
            (false, None, open, ["false", "0", "", "UNLOCKED"]),
            // c30: a lock that has ended is not shown as one
            (false, None, LockState::Until(NOW), ["false", "0", "", "UNLOCKED"]),
            (false, None, timed, ["true", "1800000000001", "MAX_ATTEMPTS_EXCEEDED", "LOCKED"]),
            (false, None, admin, ["true", "0", "MAX_ATTEMPTS_EXCEEDED", "LOCKED"]),
            (false, Some(AdminInitiated), timed, ["true", "0", "ADMIN_INITIATED", "LOCKED"]),
            (false, Some(IdleAccount), open, ["true", "0", "IDLE_ACCOUNT", "LOCKED"]),
            (true, None, open, ["false", "0", "", "DISABLED"]),
            (true, None, timed, ["true", "1800000000001", "MAX_ATTEMPTS_EXCEEDED", "DISABLED"]),
            (true, Some(PendingAskPassword), open, ["true", "0", "PENDING_ASK_PASSWORD", "PENDING_AP"]),
            (
                false,
                Some(PendingSelfRegistration),
                open,
                ["true", "0", "PENDING_SELF_REGISTRATION", "PENDING_SR"],
            ),
        ] {
            let claims: BTreeMap<_, _> =
                identity_claims(&account(disabled, reason), &counter(lock), NOW).into_iter().collect();
            let claim = |name: &str| claims[&format!("{PREFIX}{name}")].as_str();
            let found = ["accountLocked", "unlockTime", "lockedReason", "accountState"].map(claim);
            assert_eq!(found, expected, "{disabled} {reason:?} {lock:?}");
            assert_eq!(
                ["failedLoginAttempts", "failedLoginLockoutCount", "failedLoginAttemptsBeforeSuccess"]
                    .map(claim),
                ["3", "2", "7"]
            );
            assert_eq!(["lastLoginTime", "lastPasswordUpdateTime"].map(claim), ["2", "1"]);
            assert_eq!(claim("accountDisabled"), disabled.to_string());
        }
    }
}
