//! What an administrator does to accounts.

use std::sync::Arc;

use super::{ChangeError, Doors, audit::account_changed, change_password::Owner, hashing::Password};
use crate::{
    config::{TenantPolicy, directory::Found},
    domain::{
        account::{
            Account, AccountId, AdminLock, LockedReason, LoginAttributes, LoginName, NewAccount, PRIMARY,
            Profile, StoredPassword,
        },
        audit::Actor,
        lockout::{Counter, CounterKey, Who},
        tenant::TenantId,
    },
    store::{Change, CreateError, StoreError},
};

#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("there is no such account")]
    Missing,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Password(#[from] ChangeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Somebody to be given an account.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// `None`: the primary one.
    pub user_store: Option<String>,
    pub username: String,
    pub profile: Profile,
    /// Its owner has to choose another password at the first sign-in.
    pub must_change_password: bool,
}

impl Doors {
    /// The account of a name, in any form in which its owner could sign in at this tenant's door.
    pub async fn account(
        &self,
        policy: &Arc<TenantPolicy>,
        login: &str,
    ) -> Result<Option<Account>, StoreError> {
        let named = self.tenant_in(login, &policy.tenant).await;
        let is_known = |tenant: &TenantId| named.as_ref().is_some_and(|policy| policy.tenant == *tenant);
        let Ok(name) = LoginName::parse(login, &policy.tenant, is_known) else { return Ok(None) };
        Ok(self
            .0
            .store
            .accounts()
            .by_login(&name, |_| LoginAttributes::default())
            .await?
            .map(|(account, _)| account))
    }

    /// The policy an account is held to: that of its own tenant.
    pub async fn policy_of(&self, policy: &Arc<TenantPolicy>, account: &Account) -> Arc<TenantPolicy> {
        if policy.tenant == account.tenant {
            return Arc::clone(policy);
        }
        match self.0.tenants.load(&account.tenant).await {
            Found::Tenant(own) => own,
            Found::Unknown => Arc::clone(policy),
        }
    }

    /// A new account; without a password nobody can sign in to it until it is given one.
    pub async fn add(
        &self,
        policy: &TenantPolicy,
        new: NewUser,
        password: Option<&Password>,
        now: u64,
    ) -> Result<Account, AddError> {
        let hash = match password {
            Some(password) => {
                let owner = Owner {
                    username: new.username.clone(),
                    email: new.profile.email.clone(),
                    given_name: new.profile.given_name.clone(),
                    family_name: new.profile.family_name.clone(),
                };
                self.keeps_rules(policy, owner, password).await?;
                StoredPassword::new(self.0.hasher.hash(password).await.map_err(ChangeError::Busy)?)
            }
            None => StoredPassword::unusable(),
        };
        self.create(&policy.tenant, new, hash, now).await
    }

    pub(super) async fn create(
        &self,
        tenant: &TenantId,
        new: NewUser,
        password: StoredPassword,
        now: u64,
    ) -> Result<Account, AddError> {
        let id = AccountId::from_bytes(self.random()?);
        let new = NewAccount {
            id,
            tenant: tenant.clone(),
            user_store: new.user_store.unwrap_or_else(|| PRIMARY.to_owned()),
            username: new.username,
            password,
            must_change_password: new.must_change_password,
            disabled: false,
            admin_lock: None,
            profile: new.profile,
        };
        let account = self.0.store.accounts().create(&new, now).await?;
        account_changed("account.created", &account, None);
        Ok(account)
    }

    /// Gives an account another password, held to the policy as its owner's own choice is. All its sessions end; locks
    /// stay.
    pub async fn set_password(
        &self,
        policy: &TenantPolicy,
        account: &Account,
        new: &Password,
        must_change: bool,
        now: u64,
    ) -> Result<(), ChangeError> {
        let hash = self.accepted(policy, account, new).await?;
        self.replace(policy, account, hash, must_change, now).await?;
        account_changed("password.set", account, None);
        Ok(())
    }

    /// Nobody can sign in until it is unlocked, and who is signed in no longer is.
    pub async fn lock(&self, account: &Account, actor: &Actor, now: u64) -> Result<(), AdminError> {
        let lock = AdminLock { reason: LockedReason::AdminInitiated, since: now };
        let found = self.0.store.accounts().set_admin_lock(&account.id, Some(lock), now).await?;
        self.changed(account, actor, "account.locked", found).await
    }

    /// Takes every lock away, an administrator's and that of wrong passwords, and with it the ladder. Ends nothing.
    pub async fn unlock(&self, account: &Account, actor: &Actor, now: u64) -> Result<(), AdminError> {
        let Account { id, tenant, username, .. } = account;
        let found = self.0.store.accounts().set_admin_lock(id, None, now).await?;
        self.0.store.counters().reset_all_of(tenant, &Who::Account(id.clone())).await?;
        let name = self.0.lockout.alike(tenant, username);
        self.0.store.counters().reset(&[CounterKey::Alike { tenant: tenant.clone(), name }]).await?;
        self.changed(account, actor, "account.unlocked", found).await
    }

    /// As if there were no such account, until it is enabled. Its sessions end.
    pub async fn disable(&self, account: &Account, actor: &Actor, now: u64) -> Result<(), AdminError> {
        let found = self.0.store.accounts().set_disabled(&account.id, true, now).await?;
        self.changed(account, actor, "account.disabled", found).await
    }

    pub async fn enable(&self, account: &Account, actor: &Actor, now: u64) -> Result<(), AdminError> {
        let found = self.0.store.accounts().set_disabled(&account.id, false, now).await?;
        self.changed(account, actor, "account.enabled", found).await
    }

    /// Wrong passwords so far, and the lock they may have set.
    pub async fn counter(&self, account: &Account) -> Result<Counter, StoreError> {
        let found = self.counters(std::slice::from_ref(account)).await?;
        Ok(found.first().copied().unwrap_or_default())
    }

    /// The same of several, in their order.
    pub async fn counters(&self, accounts: &[Account]) -> Result<Vec<Counter>, StoreError> {
        let key =
            |account: &Account| CounterKey::of(account.tenant.clone(), Who::Account(account.id.clone()));
        let keys: Vec<_> = accounts.iter().map(key).collect();
        let found = self.0.store.counters().read(&keys).await?;
        Ok(found.into_iter().map(|(_, counter)| counter).collect())
    }

    /// In this process at once; others hear of it from the store.
    async fn changed(
        &self,
        account: &Account,
        actor: &Actor,
        action: &'static str,
        found: bool,
    ) -> Result<(), AdminError> {
        self.0.sessions.changed(&Change::AccountChanged(account.id.clone())).await;
        if !found {
            return Err(AdminError::Missing);
        }
        account_changed(action, account, Some(actor));
        Ok(())
    }
}
