//! Lockout of the portal's own login: counted by the same engine as Doorward's login, while the portal
//! verifies the password.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    GuardedName, Lockout, LogSubject, LoginAttempt, Reservation, ReserveError, audit::name_unlocked,
    authenticator::block, lockout_log::PortalAttempt, suffix_tenant::parse_login,
};
use crate::{
    config::TenantPolicy,
    domain::{
        account::{Account, LoginAttributes, LoginName, confusable, names},
        audit::Actor,
        client::ClientAddress,
        lockout::{ClientNetwork, Counter, CounterKey, LoginSubject, NameHash},
        tenant::TenantId,
        time::Timestamp,
    },
    store::{Store, StoreError},
    sync::client_limits::Exceeded,
    telemetry::metrics::GuardedLoginResult,
    tenants::{TenantLookup, TenantRegistry},
};

/// Why a login is not forwarded to the portal.
#[derive(Debug, thiserror::Error)]
pub enum PortalLoginRefusal {
    /// Or a Doorward account that is blocked.
    #[error("locked by failed attempts")]
    Refused,
    /// A portal that ignores invisible characters may still accept it.
    #[error("not a valid name")]
    InvalidName,
    #[error("whether the name is locked depends on logins that the portal has not answered yet")]
    Busy { retry_after: Duration },
    #[error("too many sign-ins at guards are under way")]
    Limited(Exceeded),
    #[error(transparent)]
    Uncounted(#[from] CountingFault),
}

/// Why an attempt cannot be counted, and is not forwarded.
#[derive(Debug, thiserror::Error)]
pub enum CountingFault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the tenant {0} does not exist")]
    UnknownTenant(TenantId),
    #[error("accounts are disabled")]
    NoStore,
    #[error("another request with the same credentials waits for the store")]
    Timeout,
}

impl From<StoreError> for PortalLoginRefusal {
    fn from(error: StoreError) -> Self {
        Self::Uncounted(error.into())
    }
}

impl From<ReserveError> for PortalLoginRefusal {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Refused(_) => Self::Refused,
            ReserveError::Busy { retry_after } => Self::Busy { retry_after },
            ReserveError::Store(error) => error.into(),
        }
    }
}

/// Maximum wait for the outcome of other logins of the same name. Less than the upstream timeout of `proxy`.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(4);

/// The client of a sign-in at the portal.
#[derive(Debug, Clone, Copy)]
pub struct PortalLoginClient<'a> {
    pub address: ClientAddress,
    /// The tenant of the request, which may differ from the tenant of the name.
    pub tenant: &'a TenantId,
}

impl PortalLoginClient<'_> {
    /// The counter of this client's failures under this spelling.
    fn spelling_hash(&self, lockout: &Lockout, owner: &TenantId, name: &str) -> NameHash {
        let net = ClientNetwork::of(self.address.ip).to_string();
        let parts = ["client", &net, self.tenant.as_str(), owner.as_str(), name];
        NameHash::of(&lockout.keyed_hash(&parts))
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
    fn hash(self, lockout: &Lockout, owner: &TenantId, client: PortalLoginClient<'_>) -> NameHash {
        match self {
            Self::Carried(hash) => {
                let hash = URL_SAFE_NO_PAD.encode(hash);
                NameHash::of(&lockout.keyed_hash(&["portal session", owner.as_str(), &hash]))
            }
            Self::Cookies(cookies) => client.spelling_hash(lockout, owner, &URL_SAFE_NO_PAD.encode(cookies)),
        }
    }
}

/// A login name resolved without the portal: tenant, name, and account if there is one.
struct PortalLoginName {
    policy: Arc<TenantPolicy>,
    name: LoginName,
    account: Option<Account>,
}

/// An attempt that is counted for its portal session.
struct SessionAttempt {
    attempt: LoginAttempt,
    session: NameHash,
    logged: PortalAttempt,
}

impl PortalAttempt {
    /// Records an attempt that is refused because of a lock; others are recorded with the portal's answer.
    fn record_refusal(
        &self,
        reserved: Result<Reservation, ReserveError>,
        lockout: &Lockout,
        now: Timestamp,
    ) -> Result<Reservation, PortalLoginRefusal> {
        if let Err(ReserveError::Refused(refused)) = &reserved {
            lockout.log().refused_at_portal(&refused.by, self, now);
        }
        Ok(reserved?)
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct PortalLoginService {
    store: Store,
    lockout: Lockout,
    tenants: Arc<TenantRegistry>,
}

impl PortalLoginService {
    pub fn new(store: Store, lockout: Lockout, tenants: Arc<TenantRegistry>) -> Self {
        Self { store, lockout, tenants }
    }

    /// Counts an attempt at the portal's login as failed until its outcome is known. A name of a Doorward account is
    /// counted for that account, although the portal may have another user of that name; all other names belong to
    /// the portal, each with a counter, and one shared by all names that the portal may treat as equal. A name
    /// without a tenant belongs to `default_tenant`. A success forgives the failures of `client` only.
    pub async fn reserve(
        &self,
        default_tenant: &TenantId,
        login: &str,
        client: PortalLoginClient<'_>,
        now: Timestamp,
    ) -> Result<Reservation, PortalLoginRefusal> {
        let lockout = &self.lockout;
        let policy = self.policy(default_tenant).await?;
        let resolved = self.resolve_portal_name(&policy, login).await?;
        let (PortalLoginName { policy, name, account }, typed_as) =
            resolved.ok_or(PortalLoginRefusal::InvalidName)?;
        // one Doorward account may be several portal users: use the name as entered, not split
        let whole = names::canonical(login).unwrap_or_else(|_| login.to_owned());
        let spelling = client.spelling_hash(lockout, &policy.tenant, &whole);
        let (subject, log_subject) = if let Some(account) = &account {
            (LoginSubject::Account(account.id.clone()), LogSubject::of(account))
        } else {
            let hash = lockout.portal_name_hash(&policy.tenant, &typed_as);
            (LoginSubject::PortalName(hash), LogSubject::of_portal(hash, &policy.tenant))
        };
        // this spelling has its own counter, and all confusable names share one
        let all_called = account.as_ref().map_or(name.canonical.as_str(), |account| &account.username);
        let attempt = LoginAttempt {
            tenant: policy.tenant.clone(),
            subject,
            confusable: Some(lockout.confusable(&policy.tenant, all_called)),
            spelling: Some(spelling),
            log_subject: Some(log_subject.clone()),
            bypass: account
                .as_ref()
                .is_some_and(|account| policy.rules.account_lock.is_bypassed_by(&account.roles)),
            address: Some(client.address),
            device: None,
        };
        let name = GuardedName {
            tenant: policy.tenant.clone(),
            account: account.as_ref().map(|account| account.id.clone()),
        };
        let logged = PortalAttempt { name, log_subject, address: client.address };
        let reserved = lockout.reserve(&policy.rules.account_lock, attempt, OUTCOME_TIMEOUT, now).await;
        let reservation = logged.record_refusal(reserved, lockout, now)?;
        if account.as_ref().is_some_and(|account| block(account, &policy).is_some()) {
            reservation.record_failure();
            logged.name.record(GuardedLoginResult::refused, client.address);
            return Err(PortalLoginRefusal::Refused);
        }
        Ok(reservation)
    }

    /// As [`Self::reserve`], of an attempt without a user name: counted for the portal session and for the client's
    /// network.
    pub async fn reserve_nameless(
        &self,
        tenant: &TenantId,
        client: PortalLoginClient<'_>,
        session: PortalSession<'_>,
        now: Timestamp,
    ) -> Result<Reservation, PortalLoginRefusal> {
        let lockout = &self.lockout;
        let policy = self.policy(tenant).await?;
        let SessionAttempt { attempt, logged, .. } = self.session_attempt(&policy, client, session);
        let settings = &policy.rules.account_lock;
        let reserved = lockout.reserve_nameless(settings, attempt, OUTCOME_TIMEOUT, now).await;
        logged.record_refusal(reserved, lockout, now)
    }

    /// Reserves an attempt with a name on the counters of its portal session and of the client's network too: the portal
    /// may verify another name of the session, which this process has forgotten or never received.
    pub async fn reserve_session(
        &self,
        tenant: &TenantId,
        client: PortalLoginClient<'_>,
        session: &[u8; 32],
        now: Timestamp,
    ) -> Result<Reservation, PortalLoginRefusal> {
        let lockout = &self.lockout;
        let policy = self.policy(tenant).await?;
        let SessionAttempt { attempt, session, logged } =
            self.session_attempt(&policy, client, PortalSession::Carried(session));
        let settings = &policy.rules.account_lock;
        let reserved = lockout.reserve_portal_session(settings, attempt, session, OUTCOME_TIMEOUT, now).await;
        logged.record_refusal(reserved, lockout, now)
    }

    async fn policy(&self, tenant: &TenantId) -> Result<Arc<TenantPolicy>, CountingFault> {
        match self.tenants.load(tenant).await {
            TenantLookup::Tenant(policy) => Ok(policy),
            TenantLookup::Unknown => Err(CountingFault::UnknownTenant(tenant.clone())),
        }
    }

    /// An attempt as it counts for its portal session.
    fn session_attempt(
        &self,
        policy: &TenantPolicy,
        client: PortalLoginClient<'_>,
        session: PortalSession<'_>,
    ) -> SessionAttempt {
        let hash = session.hash(&self.lockout, &policy.tenant, client);
        let log_subject = LogSubject::of_portal_session(hash, &policy.tenant);
        let attempt = LoginAttempt {
            tenant: policy.tenant.clone(),
            subject: LoginSubject::PortalName(hash),
            confusable: None,
            spelling: None,
            log_subject: Some(log_subject.clone()),
            bypass: false,
            address: Some(match session {
                PortalSession::Carried(_) => client.address,
                // nothing else bounds attempts with changing cookies, so the address of an unlisted proxy is counted, too
                PortalSession::Cookies(_) => client.address.ip.into(),
            }),
            device: None,
        };
        let name = GuardedName { tenant: policy.tenant.clone(), account: None };
        let logged = PortalAttempt { name, log_subject, address: client.address };
        SessionAttempt { attempt, session: hash, logged }
    }

    /// Removes the counters that the portal's sign-in has for a name without an account. Returns whether there were any.
    pub async fn unlock(
        &self,
        policy: &Arc<TenantPolicy>,
        login: &str,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let Some((named, typed_as)) = self.resolve_portal_name(policy, login).await? else {
            return Ok(false);
        };
        let PortalLoginName { policy, name, account: None } = named else { return Ok(false) };
        let (lockout, counters) = (&self.lockout, self.store.counters());
        let hash = lockout.portal_name_hash(&policy.tenant, &typed_as);
        let subject = LoginSubject::PortalName(hash);
        let confusable = lockout.confusable(&policy.tenant, &name.canonical);
        let confusable = [CounterKey::Confusable { tenant: policy.tenant.clone(), name: confusable }];
        let shared =
            counters.read(&confusable).await?.iter().any(|(_, counter)| *counter != Counter::default());
        counters.reset(&confusable).await?;
        let found = counters.reset_all_of(&policy.tenant, &subject).await? > 0 || shared;
        if found {
            name_unlocked(&policy.tenant, hash, actor);
        }
        Ok(found)
    }

    /// Resolves a name at the portal, with the spelling that is counted; `None`: not a valid name.
    async fn resolve_portal_name(
        &self,
        policy: &Arc<TenantPolicy>,
        login: &str,
    ) -> Result<Option<(PortalLoginName, String)>, StoreError> {
        let Some(typed) = self.resolve_name(policy, login).await? else { return Ok(None) };
        let typed_as = names::key(&typed.name.user_store, &typed.name.canonical);
        let plain = confusable::unaccented(login);
        // the portal's database may treat `álex` as `alex`, so Doorward does as well
        let named = if typed.account.is_some() || plain == login {
            Some(typed)
        } else {
            self.resolve_name(policy, &plain).await?
        };
        Ok(named.map(|named| (named, typed_as)))
    }

    async fn resolve_name(
        &self,
        policy: &Arc<TenantPolicy>,
        login: &str,
    ) -> Result<Option<PortalLoginName>, StoreError> {
        let Some(parsed) = parse_login(&self.tenants, login, policy).await else { return Ok(None) };
        let found = self.store.accounts().by_login(&parsed.name, |_| LoginAttributes::default()).await?;
        let account = found.map(|found| found.account);
        let tenant = account.as_ref().map_or(&parsed.name.tenant, |account| &account.tenant);
        let policy = Arc::clone(parsed.policy_of(tenant));
        Ok(Some(PortalLoginName { policy, name: parsed.name, account }))
    }
}
