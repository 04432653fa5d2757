//! Signing in: reserve, then verify, then settle. An unknown name, a locked, a disabled account and a wrong password take
//! the same way through this file, cost the same, and are answered as late as each other, also where an account still has
//! the hash of another system.

use std::{sync::Arc, time::Duration};

use super::{
    Doors, Guess, NotReserved, Rejected, Shown,
    hashing::{Busy, BusyCause, Password, Place, Refusal, Verified},
};
use crate::{
    config::{TenantPolicy, directory::Found},
    domain::{
        account::{Account, AccountId, LoginName, StoredPassword},
        client::ClientAddress,
        lockout::{DeviceId, Who, message::Subject},
        tenant::TenantId,
    },
    store::StoreError,
    telemetry::accounts::SignInOutcome,
};

/// How long a sign-in waits for the outcome of others of the same name, which may lock it or not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Form,
    /// The management API, by HTTP Basic.
    Api,
    ChangePassword,
}

impl Door {
    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Api => "api",
            Self::ChangePassword => "change-password",
        }
    }
}

pub struct Attempt<'a> {
    /// As typed: a user name, an e-mail address, `user@tenant`, `STORE/user`.
    pub login: &'a str,
    pub password: &'a Password,
    pub address: ClientAddress,
    /// The value of the device cookie.
    pub device: Option<&'a str>,
    pub door: Door,
}

#[derive(Debug)]
pub struct SignedIn {
    pub account: Account,
    /// The settings of the account's own tenant, which need not be the one whose door this was.
    pub policy: Arc<TenantPolicy>,
    /// What the device cookie is to hold from now on.
    pub device: String,
}

/// Somebody who has given the right password of an account that may be used.
pub(super) struct Proved {
    pub account: Account,
    pub policy: Arc<TenantPolicy>,
    /// The browser, where it is known.
    pub device: Option<DeviceId>,
}

/// What an attempt leaves behind, whatever its end.
#[derive(Default)]
pub(super) struct Trail {
    /// Whose account it was for, also where the password was wrong: for the log.
    account: Option<AccountId>,
    /// The client's share of the queue, held until there is an answer: what takes long for a name must not show in how soon
    /// there is room again.
    place: Option<Place>,
    /// What is yet to be waited for, if the attempt was refused.
    refusal: Option<Refusal>,
}

impl Trail {
    /// What is said: while too many wait to be refused, the same for all.
    fn refused(&mut self, refusal: Refusal, rejected: Rejected) -> Rejected {
        let turned_away = refusal.turned_away();
        self.refusal = Some(refusal);
        turned_away.map_or(rejected, Rejected::from)
    }
}

impl Doors {
    /// `now` is in milliseconds since the epoch.
    pub async fn sign_in(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: Attempt<'_>,
        now: u64,
    ) -> Result<SignedIn, Rejected> {
        let mut trail = Trail::default();
        let result = self.let_in(policy, &attempt, &mut trail, now).await;
        let outcome = result.as_ref().map_or_else(Rejected::outcome, |_| SignInOutcome::signed_in);
        self.0.metrics.count_sign_in(outcome);
        let (channel, tenant) = (attempt.door.as_str(), policy.tenant.as_str());
        match &result {
            Ok(signed_in) => {
                let Account { id, username, .. } = &signed_in.account;
                tracing::info!(
                    target: "doorward::audit",
                    action = "login.succeeded",
                    channel,
                    tenant,
                    user = username,
                    account = %id,
                    address = %attempt.address,
                    "signed in"
                );
            }
            Err(rejected) => tracing::info!(
                target: "doorward::audit",
                action = "login.rejected",
                channel,
                tenant,
                account = trail.account.as_ref().map(tracing::field::display),
                address = %attempt.address,
                code = rejected.code().map(tracing::field::display),
                outcome = ?outcome,
                "sign-in rejected"
            ),
        }
        self.hold_back(trail, attempt.password).await;
        result
    }

    /// Answers a refusal no sooner than any other. Last of all, so that whoever hangs up meanwhile is in the log.
    pub(super) async fn hold_back(&self, trail: Trail, password: &Password) {
        if let Some(refusal) = trail.refusal {
            self.0.hasher.hold_back(refusal, password).await;
        }
    }

    async fn let_in(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: &Attempt<'_>,
        trail: &mut Trail,
        now: u64,
    ) -> Result<SignedIn, Rejected> {
        let Proved { account, policy, device } = self.prove(policy, attempt, trail, now).await?;
        let expired =
            policy.rules.password_policy.is_expired(&account.roles, account.password_changed_at, now);
        if account.must_change_password || expired {
            return Err(Rejected::PasswordExpired(Box::new(account)));
        }
        self.0.store.accounts().record_login(&account.id, now).await?;
        let device = self.device_cookie(&account, device, now)?;
        Ok(SignedIn { account, policy, device })
    }

    /// Whether the password is that of an account that may be used. Where it is not, the caller holds the answer back.
    pub(super) async fn prove(
        &self,
        policy: &Arc<TenantPolicy>,
        attempt: &Attempt<'_>,
        trail: &mut Trail,
        now: u64,
    ) -> Result<Proved, Rejected> {
        let place = self.0.hasher.place(attempt.address);
        if let (Err(busy), None) = (&place, attempt.device) {
            return Err((*busy).into());
        }
        self.calibrated().await?;
        let lockout = &self.0.lockout;
        let named = self.tenant_in(attempt.login, &policy.tenant).await;
        let name = LoginName::parse(attempt.login, &policy.tenant, |tenant| {
            named.as_ref().is_some_and(|policy| policy.tenant == *tenant)
        });
        let found = match &name {
            Ok(name) => {
                let of = |tenant: &TenantId| named.as_ref().filter(|named| named.tenant == *tenant);
                let allowed = |tenant: &TenantId| of(tenant).unwrap_or(policy).rules.login.clone();
                self.0.store.accounts().by_login(name, allowed).await?
            }
            Err(_) => None,
        };
        // the account's own tenant says how strict its door is, whichever portal it stands in
        let tenant = match (&found, &name) {
            (Some((account, _)), _) => &account.tenant,
            (None, Ok(name)) => &name.tenant,
            (None, Err(_)) => &policy.tenant,
        };
        let policy = Arc::clone(named.as_ref().filter(|named| named.tenant == *tenant).unwrap_or(policy));
        let account = found.as_ref().map(|(account, _)| account);
        trail.account = account.map(|account| account.id.clone());
        let device =
            account.zip(attempt.device).and_then(|(account, cookie)| lockout.device(cookie, account, now));
        trail.place = Some(match (place, device) {
            (Ok(place), _) => place,
            // reserved for browsers whose device cookie has been verified
            (Err(_), Some(_)) => self.0.hasher.reserved_place(attempt.address)?,
            (Err(busy), None) => return Err(busy.into()),
        });
        let guess = Guess {
            alike: None,
            spelling: None,
            tenant: policy.tenant.clone(),
            who: match (account, &name) {
                (Some(account), _) => Who::Account(account.id.clone()),
                (None, Ok(name)) => lockout.unknown(name),
                (None, Err(_)) => lockout.no_name(attempt.login),
            },
            shown: account.map(Shown::of),
            bypass: account.is_some_and(|account| policy.rules.account_lock.bypassed_by(&account.roles)),
            address: Some(attempt.address),
            device,
        };
        let rules = &policy.rules.account_lock;
        let reserved = match attempt.door {
            Door::Api => lockout.reserve_at_management(rules, guess, PATIENCE, now).await,
            Door::Form | Door::ChangePassword => lockout.reserve(rules, guess, PATIENCE, now).await,
        };
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(NotReserved::Store(error)) => return Err(error.into()),
            Err(NotReserved::Busy { retry_after }) => {
                return Err(Rejected::Busy(Busy { retry_after, cause: BusyCause::SameName }));
            }
            Err(NotReserved::Refused(refused)) => {
                // who is locked out waits as long as everybody
                let refusal = self.0.hasher.spend().await?;
                return Err(trail.refused(refusal, Rejected::Locked(refused.until)));
            }
        };
        let barred = account.and_then(|account| barred(account, &policy));
        let usable = found.filter(|(_, stored)| barred.is_none() && stored.is_usable());
        let matches = match &usable {
            Some((_, stored)) => self.0.hasher.verify(attempt.password, stored.expose()).await,
            None => self.0.hasher.spend().await.map(Verified::nobodys),
        };
        match (matches, usable) {
            (Err(busy), _) => {
                reservation.cancel().await?;
                Err(busy.into())
            }
            (Ok(verified), Some((account, stored))) if verified.matches => {
                reservation.succeeded().await?;
                if verified.needs_rehash {
                    self.rehash(&account, &stored, attempt.password).await;
                }
                Ok(Proved { account, policy, device })
            }
            (Ok(verified), _) => {
                reservation.failed();
                Err(trail.refused(verified.refusal, barred.unwrap_or(Rejected::BadCredentials)))
            }
        }
    }

    /// For a browser in which the password was right; one that is known keeps its number, or each sign-in would make one more.
    pub(super) fn device_cookie(
        &self,
        account: &Account,
        known: Option<DeviceId>,
        now: u64,
    ) -> Result<String, StoreError> {
        let device = known.map_or_else(|| self.random().map(DeviceId::new), Ok)?;
        Ok(self.0.lockout.device_cookie(account, device, now))
    }

    /// The policy of the tenant behind the last `@`, if that is another one that exists.
    pub async fn tenant_in(&self, login: &str, requested: &TenantId) -> Option<Arc<TenantPolicy>> {
        let (_, suffix) = login.trim().rsplit_once('@')?;
        let tenant = TenantId::parse(suffix).ok().filter(|tenant| tenant != requested)?;
        match self.0.tenants.load(&tenant).await {
            Found::Tenant(policy) => Some(policy),
            Found::Unknown => None,
        }
    }

    /// The password is at hand once, so this is when its hash is made as strong as it is today. What fails is done at
    /// the next sign-in.
    async fn rehash(&self, account: &Account, stored: &StoredPassword, password: &Password) {
        let Ok(new) = self.0.hasher.hash(password).await.map(StoredPassword::new) else { return };
        if let Err(error) = self.0.store.accounts().rehash(&account.id, stored, &new).await {
            tracing::warn!(%error, account = %account.id, "a password hash could not be renewed");
        }
    }
}

/// Why the account may not be used at all, whatever the password; said in the log.
pub(super) fn barred(account: &Account, policy: &TenantPolicy) -> Option<Rejected> {
    let subject =
        Subject { user: &account.username, user_store: &account.user_store, tenant: &account.tenant };
    if account.disabled && policy.rules.disabled_stay_out {
        tracing::error!("{}", subject.disabled());
        Some(Rejected::Disabled)
    } else if account.admin_lock.is_some() {
        tracing::error!("{}", subject.locked_by_admin());
        Some(Rejected::LockedByAdmin)
    } else {
        None
    }
}

impl From<StoreError> for Rejected {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "nobody can sign in");
        Self::Unavailable
    }
}

impl From<Busy> for Rejected {
    fn from(busy: Busy) -> Self {
        Self::Busy(busy)
    }
}
