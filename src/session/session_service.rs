//! Session service: begins sessions at login, finds them by cookie, and ends them.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;
use tokio::{runtime::Handle, time::sleep};

use super::{
    active_session::ActiveSession,
    change_feed_health::{ChangeFeedHealth, LookupTime},
    cookie::{CookieSecret, OwnCookie},
    cookie_signer::CookieSigner,
    open_connections::{OpenConnections, SessionConnection},
    session_cache::SessionCache,
};
use crate::{
    clock::Clock,
    config::model,
    crypto::{RandomUnavailable, random_bytes, sha256},
    domain::{
        account::{Account, AccountId},
        session::{Session, SessionHash, sanitized_user_agent},
        time::Timestamp,
    },
    store::{Store, StoreChange, StoreError},
    telemetry::audit::AUDIT_TARGET,
    tenants::{TenantLookup, TenantRegistry},
};

/// The session is not cached and the store is unavailable, so that the request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session cannot be looked up: the store is not available")]
pub struct SessionsUnavailable;

impl From<StoreError> for SessionsUnavailable {
    fn from(_: StoreError) -> Self {
        Self
    }
}

/// The reason for which no session began after a correct password.
#[derive(Debug, thiserror::Error)]
pub enum BeginSessionError {
    #[error("the account was locked, disabled, deleted or given another password during the sign-in")]
    AccountChanged,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

/// Interval at which an open connection checks its session, even without a notification.
const RECHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone)]
pub struct SessionService(Arc<SessionServiceInner>);

struct SessionServiceInner {
    store: Store,
    tenants: Arc<TenantRegistry>,
    cache: SessionCache,
    feed_health: ChangeFeedHealth,
    connections: OpenConnections,
    /// Runtime on which the time of last use is written, without delaying the request.
    background: Handle,
    signer: CookieSigner,
}

/// The account and client of a new session.
pub struct NewSession<'a> {
    pub account: &'a Account,
    pub settings: &'a model::SessionSettings,
    /// Whether the account's tenant rejects disabled accounts.
    pub reject_disabled_accounts: bool,
    pub user_agent: &'a str,
    pub address: IpAddr,
    /// The previous session of this browser; it ends when the new one begins.
    pub previous: Option<&'a CookieSecret>,
}

impl SessionService {
    pub fn new(store: Store, tenants: Arc<TenantRegistry>, background: Handle, signer: CookieSigner) -> Self {
        Self(Arc::new(SessionServiceInner {
            store,
            tenants,
            cache: SessionCache::new(),
            feed_health: ChangeFeedHealth::new(),
            connections: OpenConnections::default(),
            background,
            signer,
        }))
    }

    /// The session of the request's cookie.
    pub async fn find_for_request(
        &self,
        headers: &HeaderMap,
        https: bool,
        now: Timestamp,
    ) -> Result<Option<Arc<ActiveSession>>, SessionsUnavailable> {
        match OwnCookie::Session.read(headers, https) {
            Some(cookie) => self.find_by_cookie(cookie, now).await,
            None => Ok(None),
        }
    }

    /// The session of the value of a session cookie.
    pub async fn find_by_cookie(
        &self,
        cookie: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<ActiveSession>>, SessionsUnavailable> {
        match self.parse_cookie(cookie) {
            Some((_, hash)) => self.find(&hash, now).await,
            None => Ok(None),
        }
    }

    /// The session of the request's cookie, if it is cached.
    pub async fn cached_for_request(
        &self,
        headers: &HeaderMap,
        https: bool,
        now: Timestamp,
    ) -> Option<Arc<ActiveSession>> {
        let secret = CookieSecret::parse(OwnCookie::Session.read(headers, https)?)?;
        self.0.cache.get_cached(&hash_of(&secret), now).await
    }

    /// The value of the request's session cookie, if it is authentic; its session may have ended.
    pub fn secret(&self, headers: &HeaderMap, https: bool) -> Option<CookieSecret> {
        self.parse_cookie(OwnCookie::Session.read(headers, https)?).map(|(secret, _)| secret)
    }

    /// `None` if the cookie is not authentic.
    fn parse_cookie(&self, cookie: &str) -> Option<(CookieSecret, SessionHash)> {
        let secret = CookieSecret::parse(cookie)?;
        let hash = hash_of(&secret);
        // a cached session has an authentic cookie, and a cache lookup costs less than verifying the signature
        (self.0.cache.contains(&hash) || self.0.signer.verifies(&secret)).then_some((secret, hash))
    }

    /// Returns an active session from the cache or the store, and records the use.
    pub async fn find(
        &self,
        hash: &SessionHash,
        now: Timestamp,
    ) -> Result<Option<Arc<ActiveSession>>, SessionsUnavailable> {
        let live = self.find_without_touch(hash, now).await?;
        if let Some(live) = &live
            && live.touch(now)
        {
            let (store, hash) = (self.0.store.clone(), *hash);
            self.0.background.spawn(async move {
                if let Err(error) = store.sessions().touch(&hash, now).await {
                    tracing::debug!(%error, "failed to write the last use of a session");
                }
            });
        }
        Ok(live)
    }

    async fn load(&self, hash: &SessionHash) -> Result<Option<(Session, Account)>, SessionsUnavailable> {
        let store = &self.0.store;
        let found = async {
            let Some(session) = store.sessions().find(hash).await? else { return Ok(None) };
            let account = store.accounts().find(&session.account).await?;
            Ok(account.filter(|account| account.allows_login(false)).map(|account| (session, account)))
        };
        // logged once for all requests that wait for this lookup
        found
            .await
            .inspect_err(|error: &StoreError| tracing::error!(%error, "failed to look up a session"))
            .map_err(SessionsUnavailable::from)
    }

    /// Begins a session with a new id (session fixation); returns the value of its cookie.
    pub async fn begin(
        &self,
        begin: NewSession<'_>,
        now: Timestamp,
    ) -> Result<CookieSecret, BeginSessionError> {
        let NewSession { account, settings, reject_disabled_accounts, user_agent, address, previous } = begin;
        let secret = self.0.signer.sign(&random_bytes()?);
        let session = Session {
            hash: hash_of(&secret),
            account: account.id.clone(),
            tenant: account.tenant.clone(),
            created_at: now,
            last_seen_at: now,
            signed_in_at: now,
            expires_at: now + settings.lifetime,
            idle: settings.idle_timeout,
            user_agent: sanitized_user_agent(user_agent),
            address,
        };
        if !self
            .0
            .store
            .sessions()
            .insert(&session, account.password_changed_at, reject_disabled_accounts)
            .await?
        {
            return Err(BeginSessionError::AccountChanged);
        }
        tracing::info!(
            target: AUDIT_TARGET,
            action = "session.started",
            session = session.hash.to_hex(),
            tenant = %session.tenant,
            account = %session.account,
            %address,
            "session started"
        );
        if let Some(previous) = previous {
            self.end(&hash_of(previous), now).await?;
        }
        let max_sessions = u32::try_from(settings.max_per_account).unwrap_or(u32::MAX);
        if self.0.store.sessions().end_oldest(&account.id, max_sessions, now).await? > 0 {
            self.apply_change(&StoreChange::SessionsChanged(account.id.clone())).await;
        }
        Ok(secret)
    }

    /// Secret for the CSRF cookie of a form without a session: 256 random bits.
    pub fn new_secret(&self) -> Result<CookieSecret, RandomUnavailable> {
        Ok(CookieSecret::new(random_bytes()?))
    }

    /// Ends a session. `false`: the store had no such session.
    pub async fn end(&self, hash: &SessionHash, now: Timestamp) -> Result<bool, StoreError> {
        let ended = self.0.store.sessions().end(hash, now).await?;
        self.apply_change(&StoreChange::SessionEnded(*hash)).await;
        if ended {
            let session = hash.to_hex();
            tracing::info!(target: AUDIT_TARGET, action = "session.ended", session, "session ended");
        }
        Ok(ended)
    }

    /// Ends all sessions of an account except, optionally, one; returns their number.
    pub async fn end_all(
        &self,
        account: &AccountId,
        except: Option<&SessionHash>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let ended = self.0.store.sessions().end_all(account, except, now).await?;
        self.apply_change(&StoreChange::SessionsChanged(account.clone())).await;
        if ended > 0 {
            tracing::info!(
                target: AUDIT_TARGET,
                action = "session.ended",
                %account,
                sessions = ended,
                "sessions of an account ended"
            );
        }
        Ok(ended)
    }

    /// The active sessions of an account, the most recently used first.
    pub async fn list(&self, account: &AccountId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let mut sessions = self.0.store.sessions().list(account).await?;
        sessions.retain(|session| !session.is_expired(now));
        Ok(sessions)
    }

    /// Registers a connection that depends on this session.
    pub fn open(&self, live: &ActiveSession) -> SessionConnection {
        self.0.connections.open(live.session.hash, &live.session.account, live.session.expires_at)
    }

    /// Returns when the session of an open connection has ended: by its owner, an administrator, idle
    /// timeout or expiry. An open connection does not count as use of the session, so that the idle timeout also applies to a
    /// user with an open page.
    pub async fn wait_for_end(&self, open: &SessionConnection, clock: &Clock) {
        loop {
            // register before the lookup, so that no change between the lookup and the wait is lost
            let mut changed = std::pin::pin!(open.changed());
            changed.as_mut().enable();
            let remaining = match self.find_without_touch(open.hash(), clock.now()).await {
                Ok(Some(live)) => live.ends_at().saturating_since(clock.now()),
                Ok(None) => return,
                // while the store is unavailable, the connection stays open until the session expires
                Err(SessionsUnavailable) => match open.expires_at().saturating_since(clock.now()) {
                    Duration::ZERO => return,
                    remaining => remaining,
                },
            };
            tokio::select! {
                () = changed => {}
                () = sleep(remaining.min(RECHECK_INTERVAL)) => {}
            }
        }
    }

    /// As `find`, without recording a use.
    async fn find_without_touch(
        &self,
        hash: &SessionHash,
        now: Timestamp,
    ) -> Result<Option<Arc<ActiveSession>>, SessionsUnavailable> {
        let time = LookupTime { now, at: Instant::now() };
        let found = self.0.cache.find_at(&self.0.feed_health, hash, time, self.load(hash)).await?;
        match found {
            Some(live) if live.account().disabled && self.rejects_disabled(live.account()).await => Ok(None),
            found => Ok(found),
        }
    }

    /// Whether the account's tenant currently rejects disabled accounts.
    async fn rejects_disabled(&self, account: &Account) -> bool {
        match self.0.tenants.load(&account.tenant).await {
            TenantLookup::Tenant(policy) => policy.rules.reject_disabled_accounts,
            TenantLookup::Unknown => true,
        }
    }

    /// Invalidates the cached sessions that a change in the store affects, and wakes the connections that depend on them.
    pub async fn apply_change(&self, change: &StoreChange) {
        let SessionServiceInner { cache, connections, .. } = &*self.0;
        match change {
            StoreChange::SessionEnded(hash) => {
                cache.invalidate_session(hash).await;
                connections.wake(hash);
            }
            StoreChange::SessionsChanged(account) | StoreChange::AccountChanged(account) => {
                cache.invalidate_account(account);
                connections.wake_account(account);
            }
            StoreChange::Everything => {
                cache.invalidate_all();
                connections.wake_all();
            }
            // whether disabled accounts are rejected is checked on each use
            StoreChange::GovernanceChanged(_) => connections.wake_all(),
        }
    }

    /// Follows the change feed until the future is dropped, and calls `on_change` with each change.
    pub async fn follow_changes(&self, on_change: impl Fn(&StoreChange)) {
        self.0.feed_health.record_contact(Instant::now());
        let mut is_error_logged = false;
        let mut watch = loop {
            match self.0.store.changes().follow().await {
                Ok(watch) => break watch,
                Err(error) => tracing::error!(%error, "failed to follow the change feed"),
            }
            sleep(Duration::from_millis(500)).await;
        };
        // sessions that were cached before the feed was available may be outdated
        self.apply_change(&StoreChange::Everything).await;
        on_change(&StoreChange::Everything);
        loop {
            let start = Instant::now();
            match watch.poll().await {
                Ok(changes) => {
                    // an outage alone loses no change, but a failover to another database may
                    if std::mem::take(&mut is_error_logged) {
                        on_change(&StoreChange::Everything);
                    }
                    for change in &changes {
                        on_change(change);
                        self.apply_change(change).await;
                    }
                    self.0.feed_health.record_contact(start);
                }
                Err(error) if !is_error_logged => {
                    is_error_logged = true;
                    tracing::error!(%error, "change feed unavailable; cached sessions are looked up again");
                }
                Err(_) => {}
            }
        }
    }
}

/// The key under which the store has the session: SHA-256 of the cookie's secret.
pub fn hash_of(secret: &CookieSecret) -> SessionHash {
    SessionHash::new(sha256(secret.as_bytes()))
}
