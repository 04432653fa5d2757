//! Account administration: create, lock, disable, and set passwords.

use std::sync::Arc;

use super::{
    Lockout, NewPasswordError, NewPasswords, audit::account_changed, hashing::Password,
    new_password::PasswordOwner, suffix_tenant::parse_login,
};
use crate::{
    config::TenantPolicy,
    crypto::{RandomUnavailable, random_bytes},
    domain::{
        account::{
            Account, AccountId, AdminLock, LockedReason, LoginAttributes, NewAccount, PRIMARY,
            StoredPassword, UserProfile,
        },
        audit::Actor,
        lockout::{Counter, CounterKey, LoginSubject},
        time::Timestamp,
    },
    session::SessionService,
    store::{CreateError, Store, StoreChange, StoreError},
    tenants::{TenantLookup, TenantRegistry},
};

#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("there is no such account")]
    Missing,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum CreateAccountError {
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Password(#[from] NewPasswordError),
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

/// The data of a new account.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// `None`: the primary user store.
    pub user_store: Option<String>,
    pub username: String,
    pub profile: UserProfile,
    /// The user must change the password at the first sign-in.
    pub must_change_password: bool,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct AccountAdministration {
    pub store: Store,
    pub lockout: Lockout,
    pub tenants: Arc<TenantRegistry>,
    pub new_passwords: NewPasswords,
    pub sessions: SessionService,
}

impl AccountAdministration {
    /// Finds the account of a login name, in any form that is accepted at sign-in to this tenant.
    pub async fn find(&self, policy: &Arc<TenantPolicy>, login: &str) -> Result<Option<Account>, StoreError> {
        let Some(parsed) = parse_login(&self.tenants, login, policy).await else { return Ok(None) };
        let found = self.store.accounts().by_login(&parsed.name, |_| LoginAttributes::default()).await?;
        Ok(found.map(|found| found.account))
    }

    /// The policy of the account's own tenant, which applies to the account.
    pub async fn policy_of(&self, policy: &Arc<TenantPolicy>, account: &Account) -> Arc<TenantPolicy> {
        if policy.tenant == account.tenant {
            return Arc::clone(policy);
        }
        match self.tenants.load(&account.tenant).await {
            TenantLookup::Tenant(own) => own,
            TenantLookup::Unknown => Arc::clone(policy),
        }
    }

    /// Creates an account; without a password it cannot be used until one is set.
    pub async fn create(
        &self,
        policy: &TenantPolicy,
        new: NewUser,
        password: Option<&Password>,
        now: Timestamp,
    ) -> Result<Account, CreateAccountError> {
        let hash = match password {
            Some(password) => {
                let owner = PasswordOwner::new(&new.username, &new.profile);
                self.new_passwords.hash_first(policy, owner, password).await?
            }
            None => StoredPassword::unusable(),
        };
        let new = NewAccount {
            id: AccountId::from_bytes(random_bytes()?),
            tenant: policy.tenant.clone(),
            user_store: new.user_store.unwrap_or_else(|| PRIMARY.to_owned()),
            username: new.username,
            password: hash,
            must_change_password: new.must_change_password,
            disabled: false,
            admin_lock: None,
            profile: new.profile,
        };
        let account = self.store.accounts().create(&new, now).await?;
        account_changed("account.created", &account, None);
        Ok(account)
    }

    /// Locks the account until an administrator unlocks it, and ends its sessions.
    pub async fn lock(&self, account: &Account, actor: &Actor, now: Timestamp) -> Result<(), AdminError> {
        let lock = AdminLock { reason: LockedReason::AdminInitiated, since: now };
        let found = self.store.accounts().set_admin_lock(&account.id, Some(lock), now).await?;
        self.finish_change(account, actor, "account.locked", found).await
    }

    /// Removes the administrator lock and the lock of failed attempts, and resets the lock duration. Ends no session.
    pub async fn unlock(&self, account: &Account, actor: &Actor, now: Timestamp) -> Result<(), AdminError> {
        let Account { id, tenant, username, .. } = account;
        let found = self.store.accounts().set_admin_lock(id, None, now).await?;
        self.store.counters().reset_all_of(tenant, &LoginSubject::Account(id.clone())).await?;
        let name = self.lockout.confusable(tenant, username);
        self.store.counters().reset(&[CounterKey::Confusable { tenant: tenant.clone(), name }]).await?;
        self.finish_change(account, actor, "account.unlocked", found).await
    }

    /// Rejects logins as for an unknown account until it is enabled. Its sessions end.
    pub async fn disable(&self, account: &Account, actor: &Actor, now: Timestamp) -> Result<(), AdminError> {
        let found = self.store.accounts().set_disabled(&account.id, true, now).await?;
        self.finish_change(account, actor, "account.disabled", found).await
    }

    pub async fn enable(&self, account: &Account, actor: &Actor, now: Timestamp) -> Result<(), AdminError> {
        let found = self.store.accounts().set_disabled(&account.id, false, now).await?;
        self.finish_change(account, actor, "account.enabled", found).await
    }

    /// The counter of failed attempts, and its lock.
    pub async fn lockout_counter(&self, account: &Account) -> Result<Counter, StoreError> {
        let found = self.lockout_counters(std::slice::from_ref(account)).await?;
        Ok(found.first().copied().unwrap_or_default())
    }

    /// The counters of several accounts, in their order.
    pub async fn lockout_counters(&self, accounts: &[Account]) -> Result<Vec<Counter>, StoreError> {
        let key = |account: &Account| {
            CounterKey::of(account.tenant.clone(), LoginSubject::Account(account.id.clone()))
        };
        let keys: Vec<_> = accounts.iter().map(key).collect();
        let found = self.store.counters().read(&keys).await?;
        Ok(found.into_iter().map(|(_, counter)| counter).collect())
    }

    /// Applies the change in this process at once; other replicas read it from the change feed.
    async fn finish_change(
        &self,
        account: &Account,
        actor: &Actor,
        action: &'static str,
        found: bool,
    ) -> Result<(), AdminError> {
        self.sessions.apply_change(&StoreChange::AccountChanged(account.id.clone())).await;
        if !found {
            return Err(AdminError::Missing);
        }
        account_changed(action, account, Some(actor));
        Ok(())
    }
}
