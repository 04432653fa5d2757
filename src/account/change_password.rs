//! Changing one's own password: who knows the current one may, and the new one is held to the policy. Wrong guesses at the
//! current one count like those at sign-in.

use std::{sync::Arc, time::Duration};

use super::{
    Attempt, Door, Doors, Rejected,
    breached::BreachedPasswords,
    hashing::{Busy, Password},
    sign_in::{Proved, Trail, barred},
};
use crate::{
    config::TenantPolicy,
    domain::{
        account::{Account, StoredPassword},
        client::ClientAddress,
        password::{About, Violation},
        session::SessionHash,
    },
    store::{Change, NewPassword, StoreError},
};

/// A person waits for the list of breached passwords.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct ChangePassword<'a> {
    /// Who: as typed at sign-in, or the user name of who is signed in.
    pub login: &'a str,
    pub current: &'a Password,
    pub new: &'a Password,
    pub address: ClientAddress,
    pub device: Option<&'a str>,
    /// The session of this browser, which stays; all others end.
    pub keep: Option<&'a SessionHash>,
}

#[derive(Debug)]
pub struct Changed {
    pub account: Account,
    /// What the device cookie is to hold from now on: those of before are void.
    pub device: String,
}

/// Whose password it is to be: words that are no good in it.
pub(super) struct Owner {
    pub username: String,
    pub email: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The current password is wrong, or the account locked, or …: `Rejected::told` says what may be said.
    #[error("the current password does not open the account")]
    Rejected(Rejected),
    #[error("the new password is the current one")]
    Same,
    #[error("the new password breaks a rule: {first}")]
    Policy {
        first: Violation,
        /// What else is broken of the rules that need nobody to be asked.
        all: Vec<Violation>,
    },
    #[error("too many passwords wait to be looked at")]
    Busy(Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Doors {
    pub async fn change_password(
        &self,
        policy: &Arc<TenantPolicy>,
        change: ChangePassword<'_>,
        now: u64,
    ) -> Result<Changed, ChangeError> {
        let ChangePassword { login, current, new, address, device, keep } = change;
        let attempt = Attempt { login, password: current, address, device, door: Door::ChangePassword };
        let mut trail = Trail::default();
        let Proved { mut account, policy, device } = match self.prove(policy, &attempt, &mut trail, now).await
        {
            Ok(proved) => proved,
            Err(rejected) => {
                self.hold_back(trail, current).await;
                return Err(ChangeError::Rejected(rejected));
            }
        };
        if new.expose() == current.expose() {
            return Err(ChangeError::Same);
        }
        let hash = self.accepted(&policy, &account, new).await?;
        drop(trail);
        self.replace_own(&policy, &account, hash, keep, now).await?;
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
        Ok(Changed { account, device })
    }

    /// The hash of a new password that breaks no rule.
    pub(super) async fn accepted(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        new: &Password,
    ) -> Result<StoredPassword, ChangeError> {
        let rules = &policy.rules.password_policy;
        let owner = Owner {
            username: account.username.clone(),
            email: account.email.clone(),
            given_name: account.given_name.clone(),
            family_name: account.family_name.clone(),
        };
        self.keeps_rules(policy, owner, new).await?;
        if rules.looks_back() > 0 {
            let old = self.0.store.accounts().password_history(&account.id, rules.looks_back()).await?;
            let old = old.iter().map(|old| old.expose().to_owned()).collect();
            let matched = self.0.hasher.matches_any(new, old).await?;
            if let Some(first) = rules.history_violation(matched) {
                return Err(ChangeError::Policy { first, all: Vec::new() });
            }
        }
        Ok(StoredPassword::new(self.0.hasher.hash(new).await?))
    }

    /// The rules that need no account, only what is known of its owner.
    pub(super) async fn keeps_rules(
        &self,
        policy: &TenantPolicy,
        owner: Owner,
        new: &Password,
    ) -> Result<(), ChangeError> {
        let rules = &policy.rules.password_policy;
        let (judge, tenant, password) = (Arc::clone(rules), policy.tenant.clone(), new.clone());
        // it takes about as long as a hash, so it waits where hashes wait
        let judged = self.0.hasher.run(move || {
            let about = About {
                username: &owner.username,
                email: owner.email.as_deref(),
                given_name: owner.given_name.as_deref(),
                family_name: owner.family_name.as_deref(),
                tenant: &tenant,
            };
            judge.violations(password.expose(), &about)
        });
        let all = judged.await?;
        if let Some(first) = all.first().cloned() {
            return Err(ChangeError::Policy { first, all });
        }
        if let (Some(breached), Some(url)) = (rules.breached, &policy.breached_url) {
            let unavailable = self.0.metrics.breached_unavailable.clone();
            let list = BreachedPasswords::new(self.0.http.clone(), url, PATIENCE, unavailable);
            let seen = match list {
                Ok(list) => list.seen(new).await,
                Err(problem) => {
                    tracing::error!(%problem, "password_policy.breached_url");
                    None
                }
            };
            if let Some(first) = breached.violation(seen) {
                return Err(ChangeError::Policy { first, all: Vec::new() });
            }
        }
        Ok(())
    }

    /// Puts an owner's choice in force, unless an administrator has been there since the old password was given: the list of
    /// breached passwords may take its time.
    async fn replace_own(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        hash: StoredPassword,
        keep: Option<&SessionHash>,
        now: u64,
    ) -> Result<(), ChangeError> {
        let (new, proved) = (new_password(policy, hash, false), account.password_changed_at);
        let accounts = self.0.store.accounts();
        if !accounts
            .change_password(&account.id, &new, proved, policy.rules.disabled_stay_out, keep, now)
            .await?
        {
            let found = accounts.find_with_password(&account.id).await?;
            let barred = found.as_ref().and_then(|(account, _)| barred(account, policy));
            return Err(ChangeError::Rejected(barred.unwrap_or(Rejected::BadCredentials)));
        }
        self.0.sessions.changed(&Change::AccountChanged(account.id.clone())).await;
        Ok(())
    }

    /// Puts an administrator's choice in force, and ends all sessions that the old one opened.
    pub(super) async fn replace(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        hash: StoredPassword,
        must_change: bool,
        now: u64,
    ) -> Result<(), StoreError> {
        let new = new_password(policy, hash, must_change);
        self.0.store.accounts().set_password(&account.id, &new, None, now).await?;
        self.0.sessions.changed(&Change::AccountChanged(account.id.clone())).await;
        Ok(())
    }
}

fn new_password(policy: &TenantPolicy, hash: StoredPassword, must_change: bool) -> NewPassword {
    NewPassword { hash, must_change, keep_history: policy.rules.password_policy.looks_back().max(1) }
}

impl From<Busy> for ChangeError {
    fn from(busy: Busy) -> Self {
        Self::Busy(busy)
    }
}
