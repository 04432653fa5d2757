//! The portal's own sign-in, which Doorward stands before: counted by the same engine as our own doors, while the portal
//! looks at the password.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Doors, GuardedName, Guess, Lockout, NotReserved, Reservation, Shown, audit::name_unlocked,
    sign_in::barred,
};
use crate::{
    config::{TenantPolicy, directory::Found},
    domain::{
        account::{Account, LoginAttributes, LoginName, alike, names},
        audit::Actor,
        client::ClientAddress,
        lockout::{ClientNet, Counter, CounterKey, NameHash, Who},
        tenant::TenantId,
    },
    store::StoreError,
    sync::client_limits::Exceeded,
    telemetry::metrics::Guarded,
};

/// Why the portal is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotForwarded {
    /// Locked by wrong passwords, or an account of ours that may not be used.
    Refused,
    /// Nobody is called that, but for a portal that overlooks what cannot be seen.
    NoName,
    /// Whether it is locked depends on sign-ins that the portal has not answered yet.
    Busy { retry_after: Duration },
    /// Too many sign-ins at guards are under way.
    Limited(Exceeded),
    /// The store does not answer: what cannot be counted is not let through.
    Unavailable,
}

/// How long a sign-in waits for the portal's answer to others of the same name. Less than `proxy` waits for it.
const PATIENCE: Duration = Duration::from_secs(4);

impl From<StoreError> for NotForwarded {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "nobody can sign in at the portal");
        Self::Unavailable
    }
}

impl From<NotReserved> for NotForwarded {
    fn from(error: NotReserved) -> Self {
        match error {
            NotReserved::Refused(_) => Self::Refused,
            NotReserved::Busy { retry_after } => Self::Busy { retry_after },
            NotReserved::Store(error) => error.into(),
        }
    }
}

/// The client of a sign-in at the portal.
#[derive(Debug, Clone, Copy)]
pub struct PortalClient<'a> {
    pub address: ClientAddress,
    /// The tenant the request is for, which need not be the one that the name is counted for.
    pub tenant: &'a TenantId,
}

impl PortalClient<'_> {
    /// The counter of this client's failures under this spelling.
    fn spelling(&self, lockout: &Lockout, owner: &TenantId, name: &str) -> NameHash {
        let net = ClientNet::of(self.address.ip).to_string();
        let parts = ["client", &net, self.tenant.as_str(), owner.as_str(), name];
        NameHash::of(&lockout.keyed(&parts))
    }
}

/// The portal session that an attempt without a user name presents.
#[derive(Debug, Clone, Copy)]
pub enum PortalSession<'a> {
    /// The value by which the portal remembers the session (`name_from`), hashed.
    Carried(&'a [u8; 32]),
    /// All its cookies, because it is not known which of them is the session.
    Cookies(&'a [u8]),
}

impl PortalSession<'_> {
    /// The counter of this session's failures.
    fn hash(self, lockout: &Lockout, owner: &TenantId, client: PortalClient<'_>) -> NameHash {
        match self {
            Self::Carried(hash) => {
                let hash = URL_SAFE_NO_PAD.encode(hash);
                NameHash::of(&lockout.keyed(&["portal session", owner.as_str(), &hash]))
            }
            Self::Cookies(cookies) => client.spelling(lockout, owner, &URL_SAFE_NO_PAD.encode(cookies)),
        }
    }
}

/// Whose name it is, as far as anybody can tell before the portal does.
struct Named {
    policy: Arc<TenantPolicy>,
    name: LoginName,
    account: Option<Account>,
}

/// An attempt as the logs show it.
struct Tried {
    name: GuardedName,
    shown: Shown,
    address: ClientAddress,
}

impl Tried {
    /// Records an attempt that is refused because of a lock; others are recorded with the portal's answer.
    fn record_refusal(
        &self,
        reserved: Result<Reservation, NotReserved>,
        lockout: &Lockout,
        now: u64,
    ) -> Result<Reservation, NotForwarded> {
        if let Err(NotReserved::Refused(refused)) = &reserved {
            lockout.notices().refused_at_portal(&refused.by, (&self.name, &self.shown), self.address, now);
        }
        reserved.map_err(NotForwarded::from)
    }
}

impl Doors {
    /// Counts an attempt at the portal's sign-in as failed, until the portal says that it was not. A name that an account
    /// of ours has is that account, though the portal may know somebody else by it; all others are the portal's people, each with a counter, and one with all whose names the
    /// portal may take for it. A name without a tenant belongs to the tenant `door`. A success forgives the failures of
    /// `client` only.
    pub async fn reserve_at_portal(
        &self,
        door: &TenantId,
        login: &str,
        client: PortalClient<'_>,
        now: u64,
    ) -> Result<Reservation, NotForwarded> {
        let lockout = &self.0.lockout;
        let Found::Tenant(policy) = self.0.tenants.load(door).await else {
            tracing::error!(tenant = %door, "nobody can sign in at the portal: there is no such tenant");
            return Err(NotForwarded::Unavailable);
        };
        let named = self.named_at_portal(policy, login).await?.ok_or(NotForwarded::NoName)?;
        let (Named { policy, name, account }, typed_as) = named;
        // what is one account to us may be several people to the portal: the name as it was typed, and not taken apart
        let whole = names::canonical(login).unwrap_or_else(|_| login.to_owned());
        let spelling = client.spelling(lockout, &policy.tenant, &whole);
        let (who, shown) = if let Some(account) = &account {
            (Who::Account(account.id.clone()), Shown::of(account))
        } else {
            let hash = lockout.portal_name(&policy.tenant, &typed_as);
            (Who::Portal(hash), Shown::of_portal(hash, &policy.tenant))
        };
        // this spelling has a counter, and all that may be the same name have one together
        let all_called = account.as_ref().map_or(name.canonical.as_str(), |account| &account.username);
        let guess = Guess {
            tenant: policy.tenant.clone(),
            who,
            alike: Some(lockout.alike(&policy.tenant, all_called)),
            spelling: Some(spelling),
            shown: Some(shown.clone()),
            bypass: account
                .as_ref()
                .is_some_and(|account| policy.rules.account_lock.bypassed_by(&account.roles)),
            address: Some(client.address),
            device: None,
        };
        let name = GuardedName {
            tenant: policy.tenant.clone(),
            account: account.as_ref().map(|account| account.id.clone()),
        };
        let tried = Tried { name, shown, address: client.address };
        let reserved = lockout.reserve(&policy.rules.account_lock, guess, PATIENCE, now).await;
        let reservation = tried.record_refusal(reserved, lockout, now)?;
        if account.as_ref().is_some_and(|account| barred(account, &policy).is_some()) {
            reservation.failed();
            tried.name.record(Guarded::refused, client.address);
            return Err(NotForwarded::Refused);
        }
        Ok(reservation)
    }

    /// As [`Self::reserve_at_portal`], of an attempt without a user name: counted for the portal session and for the client's
    /// network.
    pub async fn reserve_nameless_at_portal(
        &self,
        door: &TenantId,
        client: PortalClient<'_>,
        session: PortalSession<'_>,
        now: u64,
    ) -> Result<Reservation, NotForwarded> {
        let lockout = &self.0.lockout;
        let Found::Tenant(policy) = self.0.tenants.load(door).await else {
            return Err(NotForwarded::Unavailable);
        };
        let (guess, _, tried) = self.of_session(&policy, door, client, session);
        let settings = &policy.rules.account_lock;
        let reserved = lockout.reserve_nameless(settings, guess, PATIENCE, now).await;
        tried.record_refusal(reserved, lockout, now)
    }

    /// Reserves an attempt with a name on the counters of its portal session and of the client's network too: the portal
    /// may verify another name of the session, which this process has forgotten or never received.
    pub async fn reserve_session_at_portal(
        &self,
        door: &TenantId,
        client: PortalClient<'_>,
        session: &[u8; 32],
        now: u64,
    ) -> Result<Reservation, NotForwarded> {
        let lockout = &self.0.lockout;
        let Found::Tenant(policy) = self.0.tenants.load(door).await else {
            return Err(NotForwarded::Unavailable);
        };
        let (guess, hash, tried) = self.of_session(&policy, door, client, PortalSession::Carried(session));
        let settings = &policy.rules.account_lock;
        let reserved = lockout.reserve_portal_session(settings, (guess, hash), PATIENCE, now).await;
        tried.record_refusal(reserved, lockout, now)
    }

    /// An attempt as it counts for its portal session, the hash of the session, and the attempt as the logs show it.
    fn of_session(
        &self,
        policy: &TenantPolicy,
        door: &TenantId,
        client: PortalClient<'_>,
        session: PortalSession<'_>,
    ) -> (Guess, NameHash, Tried) {
        let hash = session.hash(&self.0.lockout, door, client);
        let shown = Shown::of_portal_session(hash, &policy.tenant);
        let guess = Guess {
            tenant: policy.tenant.clone(),
            who: Who::Portal(hash),
            alike: None,
            spelling: None,
            shown: Some(shown.clone()),
            bypass: false,
            address: Some(match session {
                PortalSession::Carried(_) => client.address,
                // nothing else bounds attempts with changing cookies, so the address of an unlisted proxy is counted, too
                PortalSession::Cookies(_) => client.address.ip.into(),
            }),
            device: None,
        };
        let name = GuardedName { tenant: policy.tenant.clone(), account: None };
        (guess, hash, Tried { name, shown, address: client.address })
    }

    /// Removes the counters that the portal's sign-in has for a name without an account. Returns whether there were any.
    pub async fn unlock_at_portal(
        &self,
        policy: &Arc<TenantPolicy>,
        login: &str,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let Some((named, typed_as)) = self.named_at_portal(Arc::clone(policy), login).await? else {
            return Ok(false);
        };
        let Named { policy, name, account: None } = named else { return Ok(false) };
        let (lockout, counters) = (&self.0.lockout, self.0.store.counters());
        let hash = lockout.portal_name(&policy.tenant, &typed_as);
        let who = Who::Portal(hash);
        let alike = lockout.alike(&policy.tenant, &name.canonical);
        let alike = [CounterKey::Alike { tenant: policy.tenant.clone(), name: alike }];
        let shared = counters.read(&alike).await?.iter().any(|(_, counter)| *counter != Counter::default());
        counters.reset(&alike).await?;
        let found = counters.reset_all_of(&policy.tenant, &who).await? > 0 || shared;
        if found {
            name_unlocked(&policy.tenant, hash, actor);
        }
        Ok(found)
    }

    /// Whose name it is at the portal, and the spelling it is counted by; `None`: nobody can be called that.
    async fn named_at_portal(
        &self,
        policy: Arc<TenantPolicy>,
        login: &str,
    ) -> Result<Option<(Named, String)>, StoreError> {
        let Some(typed) = self.named(Arc::clone(&policy), login).await? else { return Ok(None) };
        let typed_as = names::key(&typed.name.user_store, &typed.name.canonical);
        let plain = alike::unaccented(login);
        // to the portal's database `álex` may be `alex`: so is it to us
        let named = if typed.account.is_some() || plain == login {
            Some(typed)
        } else {
            self.named(policy, &plain).await?
        };
        Ok(named.map(|named| (named, typed_as)))
    }

    async fn named(&self, policy: Arc<TenantPolicy>, login: &str) -> Result<Option<Named>, StoreError> {
        let door = &policy.tenant;
        let other = self.tenant_in(login, door).await;
        let is_known = |tenant: &TenantId| other.as_ref().is_some_and(|policy| policy.tenant == *tenant);
        let Ok(name) = LoginName::parse(login, door, is_known) else { return Ok(None) };
        let found = self.0.store.accounts().by_login(&name, |_| LoginAttributes::default()).await?;
        let account = found.map(|(account, _)| account);
        let tenant = account.as_ref().map_or(&name.tenant, |account| &account.tenant);
        let policy = other.filter(|other| other.tenant == *tenant).unwrap_or(policy);
        Ok(Some(Named { policy, name, account }))
    }
}
