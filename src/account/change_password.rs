//! Password change by the user, who must know the current password. Wrong current passwords count like
//! failed logins, and the new password must satisfy the policy.

use std::{sync::Arc, time::Duration};

use super::{
    AccountServices, LoginChannel, LoginError, LoginRequest,
    breach_list::BreachListClient,
    hashing::{HasherBusy, Password},
    login::{AttemptGuard, Authenticated, block},
};
use crate::{
    config::TenantPolicy,
    domain::{
        account::{Account, StoredPassword},
        client::ClientAddress,
        password::{PasswordContext, Violation},
        session::SessionHash,
    },
    store::{NewPassword, OwnerCondition, PasswordUpdate, StoreChange, StoreError},
};

/// Timeout of the breach lookup, during which the user waits.
const BREACH_LIST_TIMEOUT: Duration = Duration::from_secs(3);

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
    pub account: Account,
    /// The new value of the device cookie: earlier ones are invalid.
    pub device: String,
}

/// The user of the new password: the source of its context words.
pub(super) struct PasswordOwner {
    pub username: String,
    pub email: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordChangeError {
    /// The current password is wrong, the account is locked, or …: `LoginError::public_error` is the error for the client.
    #[error("the current password was rejected")]
    CurrentPassword(LoginError),
    #[error("the new password is the current one")]
    Unchanged,
    #[error("the new password violates the policy: {first}")]
    Policy {
        first: Violation,
        /// All violations that can be found without a lookup.
        all: Vec<Violation>,
    },
    #[error("too many password checks at once")]
    Busy(HasherBusy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccountServices {
    pub async fn change_password(
        &self,
        policy: &Arc<TenantPolicy>,
        change: PasswordChangeRequest<'_>,
        now: u64,
    ) -> Result<PasswordChanged, PasswordChangeError> {
        let PasswordChangeRequest { login, current, new, address, device, retained_session } = change;
        let attempt =
            LoginRequest { login, password: current, address, device, channel: LoginChannel::ChangePassword };
        let mut guard = AttemptGuard::default();
        let Authenticated { mut account, policy, device } =
            match self.authenticate(policy, &attempt, &mut guard, now).await {
                Ok(authenticated) => authenticated,
                Err(rejected) => {
                    self.delay_refusal(guard, current).await;
                    return Err(PasswordChangeError::CurrentPassword(rejected));
                }
            };
        if new.expose() == current.expose() {
            return Err(PasswordChangeError::Unchanged);
        }
        let hash = self.hash_checked(&policy, &account, new).await?;
        drop(guard);
        self.replace_by_owner(&policy, &account, hash, retained_session, now).await?;
        tracing::info!(
            target: "doorward::audit",
            action = "password.changed",
            user = account.username,
            tenant = %account.tenant,
            account = %account.id,
            address = %attempt.address,
            "password changed"
        );
        account.password_changed_at = now;
        let device = self.device_cookie(&account, device, now)?;
        Ok(PasswordChanged { account, device })
    }

    /// Hashes a new password after checking policy, breach list and history.
    pub(super) async fn hash_checked(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        new: &Password,
    ) -> Result<StoredPassword, PasswordChangeError> {
        let rules = &policy.rules.password_policy;
        let owner = PasswordOwner {
            username: account.username.clone(),
            email: account.email.clone(),
            given_name: account.given_name.clone(),
            family_name: account.family_name.clone(),
        };
        self.check_password_policy(policy, owner, new).await?;
        if rules.history_length() > 0 {
            let old = self.0.store.accounts().password_history(&account.id, rules.history_length()).await?;
            let old = old.iter().map(|old| old.expose().to_owned()).collect();
            let matched = self.0.hasher.matches_any(new, old).await?;
            if let Some(first) = rules.history_violation(matched) {
                return Err(PasswordChangeError::Policy { first, all: Vec::new() });
            }
        }
        Ok(StoredPassword::new(self.0.hasher.hash(new).await?))
    }

    /// Checks the policy and the breach list, which need the user's names but no account.
    pub(super) async fn check_password_policy(
        &self,
        policy: &TenantPolicy,
        owner: PasswordOwner,
        new: &Password,
    ) -> Result<(), PasswordChangeError> {
        let rules = &policy.rules.password_policy;
        let (rules_of_task, tenant, password) = (Arc::clone(rules), policy.tenant.clone(), new.clone());
        // the check takes about as long as a hash, so it runs in the hash queue
        let violations = self.0.hasher.run(move || {
            let about = PasswordContext {
                username: &owner.username,
                email: owner.email.as_deref(),
                given_name: owner.given_name.as_deref(),
                family_name: owner.family_name.as_deref(),
                tenant: &tenant,
            };
            rules_of_task.violations(password.expose(), &about)
        });
        let all = violations.await?;
        if let Some(first) = all.first().cloned() {
            return Err(PasswordChangeError::Policy { first, all });
        }
        if let (Some(breached), Some(url)) = (rules.breached, &policy.breached_url) {
            let unavailable = self.0.metrics.breached_unavailable.clone();
            let list = BreachListClient::new(self.0.http.clone(), url, BREACH_LIST_TIMEOUT, unavailable);
            let seen = match list {
                Ok(list) => list.occurrences(new).await,
                Err(problem) => {
                    tracing::error!(%problem, "invalid password_policy.breached_url");
                    None
                }
            };
            if let Some(first) = breached.violation(seen) {
                return Err(PasswordChangeError::Policy { first, all: Vec::new() });
            }
        }
        Ok(())
    }

    /// Stores a password chosen by the user, unless an administrator has changed the account since the
    /// current password was verified: the breach lookup may take seconds.
    async fn replace_by_owner(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        hash: StoredPassword,
        retained_session: Option<&SessionHash>,
        now: u64,
    ) -> Result<(), PasswordChangeError> {
        let (new, accounts) = (new_password(policy, hash, false), self.0.store.accounts());
        let update = PasswordUpdate { new: &new, retained_session, now };
        let condition = OwnerCondition {
            password_changed_at: account.password_changed_at,
            reject_disabled_accounts: policy.rules.reject_disabled_accounts,
        };
        if !accounts.change_password(&account.id, update, condition).await? {
            let found = accounts.find(&account.id).await?;
            let barred = found.as_ref().and_then(|account| block(account, policy));
            return Err(PasswordChangeError::CurrentPassword(barred.unwrap_or(LoginError::BadCredentials)));
        }
        self.0.sessions.apply_change(&StoreChange::AccountChanged(account.id.clone())).await;
        Ok(())
    }

    /// Stores a password set by an administrator, and ends all sessions.
    pub(super) async fn replace_by_admin(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        hash: StoredPassword,
        must_change: bool,
        now: u64,
    ) -> Result<(), StoreError> {
        let new = new_password(policy, hash, must_change);
        let update = PasswordUpdate { new: &new, retained_session: None, now };
        self.0.store.accounts().set_password(&account.id, update).await?;
        self.0.sessions.apply_change(&StoreChange::AccountChanged(account.id.clone())).await;
        Ok(())
    }
}

fn new_password(policy: &TenantPolicy, hash: StoredPassword, must_change: bool) -> NewPassword {
    NewPassword { hash, must_change, history_length: policy.rules.password_policy.history_length().max(1) }
}

impl From<HasherBusy> for PasswordChangeError {
    fn from(busy: HasherBusy) -> Self {
        Self::Busy(busy)
    }
}
