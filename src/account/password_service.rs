//! Password change by the user, who must know the current password, and by an administrator. Wrong current passwords
//! count like failed logins, and every new password must satisfy the policy.

use std::sync::Arc;

use super::{
    LoginChannel, LoginError, LoginRequest, NewPasswordError, NewPasswords,
    audit::account_changed,
    authenticator::{AttemptGuard, Authenticated, Authenticator, block},
    hashing::Password,
};
use crate::{
    config::TenantPolicy,
    crypto::RandomUnavailable,
    domain::{
        account::{Account, StoredPassword},
        client::ClientAddress,
        session::SessionHash,
        time::Timestamp,
    },
    session::SessionService,
    store::{NewPassword, OwnerCondition, PasswordUpdate, StoreChange, StoreError},
    telemetry::audit::AUDIT_TARGET,
};

pub struct PasswordChangeRequest<'a> {
    /// The login name as entered, or the user name of the session.
    pub login: &'a str,
    pub current: &'a Password,
    pub new: &'a Password,
    pub address: ClientAddress,
    pub device: Option<&'a str>,
    /// The session of this browser, which is retained; all others end.
    pub retained_session: Option<&'a SessionHash>,
}

#[derive(Debug)]
pub struct PasswordChanged {
    /// The new value of the device cookie: earlier ones are invalid.
    pub device: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordChangeError {
    /// The current password is wrong, the account is locked, or …: `LoginError::public_error` is the error for the client.
    #[error("the current password was rejected")]
    CurrentPassword(LoginError),
    #[error("the new password is the current one")]
    Unchanged,
    #[error(transparent)]
    NewPassword(#[from] NewPasswordError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct PasswordService {
    pub authenticator: Authenticator,
    pub new_passwords: NewPasswords,
    pub sessions: SessionService,
}

impl PasswordService {
    /// Changes the password of a user who knows the current one.
    pub async fn change(
        &self,
        policy: &Arc<TenantPolicy>,
        change: PasswordChangeRequest<'_>,
        now: Timestamp,
    ) -> Result<PasswordChanged, PasswordChangeError> {
        let PasswordChangeRequest { login, current, new, address, device, retained_session } = change;
        let attempt =
            LoginRequest { login, password: current, address, device, channel: LoginChannel::ChangePassword };
        let mut guard = AttemptGuard::default();
        let authenticated = self.authenticator.authenticate(policy, &attempt, &mut guard, now).await;
        let Authenticated { mut account, policy, device } = match authenticated {
            Ok(authenticated) => authenticated,
            Err(rejected) => {
                rejected.log_fault();
                self.authenticator.delay_refusal(guard, current).await;
                return Err(PasswordChangeError::CurrentPassword(rejected));
            }
        };
        if new.expose() == current.expose() {
            return Err(PasswordChangeError::Unchanged);
        }
        let hash = self.new_passwords.hash_for(&policy, &account, new).await?;
        drop(guard);
        let new = new_password(&policy, hash, false);
        self.replace_by_owner(&policy, &account, PasswordUpdate { new: &new, retained_session, now }).await?;
        tracing::info!(
            target: AUDIT_TARGET,
            action = "password.changed",
            user = account.username,
            tenant = %account.tenant,
            account = %account.id,
            address = %attempt.address,
            "password changed"
        );
        account.password_changed_at = now;
        let device = self.authenticator.device_cookie(&account, device, now)?;
        Ok(PasswordChanged { device })
    }

    /// Stores a password chosen by the user, unless an administrator has changed the account since the
    /// current password was verified: the breach lookup may take seconds.
    async fn replace_by_owner(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        update: PasswordUpdate<'_>,
    ) -> Result<(), PasswordChangeError> {
        let accounts = self.authenticator.store.accounts();
        let condition = OwnerCondition {
            password_changed_at: account.password_changed_at,
            reject_disabled_accounts: policy.rules.reject_disabled_accounts,
        };
        if !accounts.change_password(&account.id, update, condition).await? {
            let found = accounts.find(&account.id).await?;
            let blocked = found.as_ref().and_then(|account| block(account, policy));
            return Err(PasswordChangeError::CurrentPassword(blocked.unwrap_or(LoginError::BadCredentials)));
        }
        self.sessions.apply_change(&StoreChange::AccountChanged(account.id.clone())).await;
        Ok(())
    }

    /// Sets the password of an account for an administrator, under the same policy as a change by its owner. All sessions
    /// of the account end; locks stay.
    pub async fn set(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        new: &Password,
        must_change: bool,
        now: Timestamp,
    ) -> Result<(), NewPasswordError> {
        let hash = self.new_passwords.hash_for(policy, account, new).await?;
        let new = new_password(policy, hash, must_change);
        let update = PasswordUpdate { new: &new, retained_session: None, now };
        self.authenticator.store.accounts().set_password(&account.id, update).await?;
        self.sessions.apply_change(&StoreChange::AccountChanged(account.id.clone())).await;
        account_changed("password.set", account, None);
        Ok(())
    }
}

fn new_password(policy: &TenantPolicy, hash: StoredPassword, must_change: bool) -> NewPassword {
    NewPassword { hash, must_change, history_length: policy.rules.password_policy.history_length().max(1) }
}
