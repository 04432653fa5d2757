//! The portal's own sign-in, which Doorward stands before: counted by the same engine as our own doors, while the portal
//! looks at the password.

use std::{net::IpAddr, sync::Arc};

use super::{Doors, Guess, NotReserved, Reservation, Shown, sign_in::barred};
use crate::{
    config::{TenantPolicy, directory::Found},
    domain::{
        account::{Account, LoginName, alike, names},
        lockout::Who,
        tenant::TenantId,
    },
    store::StoreError,
};

/// Why the portal is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotForwarded {
    /// Locked by wrong passwords, or an account of ours that may not be used.
    Refused,
    /// Nobody is called that, but for a portal that overlooks what cannot be seen.
    NoName,
    /// The store does not answer: what cannot be counted is not let through.
    Unavailable,
}

impl From<StoreError> for NotForwarded {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "nobody can sign in at the portal");
        Self::Unavailable
    }
}

/// Whose name it is, as far as anybody can tell before the portal does.
struct Named {
    policy: Arc<TenantPolicy>,
    name: LoginName,
    account: Option<Account>,
}

impl Doors {
    /// Counts an attempt at the portal's sign-in as failed, until the portal says that it was not. A name that an account
    /// of ours has is that account, though the portal may know somebody else by it; all others are the portal's people, each with a counter, and one with all whose names the
    /// portal may take for it. A name that does not say whose it is belongs to the tenant `door`.
    pub async fn reserve_at_portal(
        &self,
        door: &TenantId,
        login: &str,
        address: IpAddr,
        now: u64,
    ) -> Result<Reservation, NotForwarded> {
        let lockout = &self.0.lockout;
        let typed = self.named(door, login).await?;
        let typed_as = names::key(&typed.name.user_store, &typed.name.canonical);
        let plain = alike::unaccented(login);
        // to the portal's database `álex` may be `alex`: so is it to us
        let is_plain = typed.account.is_some() || plain == login;
        let Named { policy, name, account } = if is_plain { typed } else { self.named(door, &plain).await? };
        let (who, spelling, shown) = if let Some(account) = &account {
            // what is one account to us may be several people to the portal: the name as it was typed, and not taken apart
            let whole = names::canonical(login).unwrap_or_else(|_| login.to_owned());
            let spelling = lockout.portal_name(&policy.tenant, &whole);
            (Who::Account(account.id.clone()), Some(spelling), Shown::of(account))
        } else {
            let hash = lockout.portal_name(&policy.tenant, &typed_as);
            (Who::Portal(hash), None, Shown::of_portal(hash, &policy.tenant))
        };
        // this spelling has a counter, and all that may be the same name have one together
        let all_called = account.as_ref().map_or(name.canonical.as_str(), |account| &account.username);
        let guess = Guess {
            tenant: policy.tenant.clone(),
            who,
            alike: Some(lockout.alike(&policy.tenant, all_called)),
            spelling,
            shown: Some(shown),
            bypass: account.as_ref().is_some_and(|account| policy.account_lock.bypassed_by(&account.roles)),
            address: Some(address),
            device: None,
        };
        let reservation =
            lockout.reserve(&policy.account_lock, guess, now).await.map_err(|error| match error {
                NotReserved::Refused(_) => NotForwarded::Refused,
                NotReserved::Store(error) => error.into(),
            })?;
        if account.as_ref().and_then(barred).is_some() {
            reservation.failed();
            return Err(NotForwarded::Refused);
        }
        Ok(reservation)
    }

    async fn named(&self, door: &TenantId, login: &str) -> Result<Named, NotForwarded> {
        let Found::Tenant(policy) = self.0.tenants.load(door).await else {
            tracing::error!(tenant = %door, "nobody can sign in at the portal: there is no such tenant");
            return Err(NotForwarded::Unavailable);
        };
        let other = self.tenant_in(login, door).await;
        let is_known = |tenant: &TenantId| other.as_ref().is_some_and(|policy| policy.tenant == *tenant);
        let name = LoginName::parse(login, door, is_known).map_err(|_| NotForwarded::NoName)?;
        let account = self.0.store.accounts().by_login(&name).await?.map(|(account, _)| account);
        let tenant = account.as_ref().map_or(&name.tenant, |account| &account.tenant);
        let policy = other.filter(|other| other.tenant == *tenant).unwrap_or(policy);
        Ok(Named { policy, name, account })
    }
}
