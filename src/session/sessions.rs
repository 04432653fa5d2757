//! Sessions: begun at sign-in, found by their cookie, ended by their owner, an administrator or time.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    digest,
    rand::{SecureRandom as _, SystemRandom},
};
use http::HeaderMap;
use tokio::{runtime::Handle, time::sleep};

use super::{
    cookie::{Cookie, CookieSecret},
    live::Live,
    memory::Memory,
    news::News,
    open::{Open, Openings},
    seal::Seal,
};
use crate::{
    config::{TenantDirectory, directory::Found, model},
    domain::{
        account::{Account, AccountId},
        session::{Session, SessionHash, shown_user_agent},
    },
    store::{Change, Store, StoreError},
};

/// The store does not answer, and the session is not in memory. Whoever asks is refused for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("whether this session is alive cannot be found out now")]
pub struct Unavailable;

/// Why somebody who gave the right password has no session.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    #[error("the account was locked, disabled, deleted or given another password during the sign-in")]
    Changed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How soon an open connection asks again, though it has heard of no change.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A handle, cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    store: Store,
    tenants: Arc<TenantDirectory>,
    memory: Memory,
    news: News,
    openings: Openings,
    /// Where the store hears that a session was used, while the request goes on.
    background: Handle,
    random: SystemRandom,
    seal: Seal,
}

/// Who has just proved who they are, and where.
pub struct Begin<'a> {
    pub account: &'a Account,
    pub settings: &'a model::Session,
    /// Whether the account's tenant has accounts that are switched off stay out.
    pub disabled_stay_out: bool,
    pub user_agent: &'a str,
    pub address: IpAddr,
    /// The session this browser had before: it ends.
    pub old: Option<&'a CookieSecret>,
}

impl Sessions {
    pub fn new(store: Store, tenants: Arc<TenantDirectory>, background: Handle, seal: Seal) -> Self {
        Self(Arc::new(Shared {
            store,
            tenants,
            memory: Memory::new(),
            news: News::new(),
            openings: Openings::default(),
            background,
            random: SystemRandom::new(),
            seal,
        }))
    }

    /// Whose session the request's cookie names.
    pub async fn of_request(
        &self,
        headers: &HeaderMap,
        https: bool,
        now: u64,
    ) -> Result<Option<Arc<Live>>, Unavailable> {
        match self.named(headers, https) {
            Some((_, hash)) => self.find(&hash, now).await,
            None => Ok(None),
        }
    }

    /// Whose session the request's cookie names, as far as memory knows.
    pub async fn known(&self, headers: &HeaderMap, https: bool, now: u64) -> Option<Arc<Live>> {
        let secret = CookieSecret::parse(Cookie::Session.read(headers, https)?)?;
        self.0.memory.known(&hash_of(&secret), now).await
    }

    /// What the request's cookie holds, if it is one of ours; its session may have ended.
    pub fn secret(&self, headers: &HeaderMap, https: bool) -> Option<CookieSecret> {
        self.named(headers, https).map(|(secret, _)| secret)
    }

    fn named(&self, headers: &HeaderMap, https: bool) -> Option<(CookieSecret, SessionHash)> {
        let secret = CookieSecret::parse(Cookie::Session.read(headers, https)?)?;
        let hash = hash_of(&secret);
        // what is in memory is ours, which is cheaper to see
        (self.0.memory.holds(&hash) || self.0.seal.is_on(&secret)).then_some((secret, hash))
    }

    /// A session that is alive, from memory or else from the store.
    pub async fn find(&self, hash: &SessionHash, now: u64) -> Result<Option<Arc<Live>>, Unavailable> {
        let live = self.find_quietly(hash, now).await?;
        if let Some(live) = &live
            && live.touch(now)
        {
            let (store, hash) = (self.0.store.clone(), *hash);
            self.0.background.spawn(async move {
                if let Err(error) = store.sessions().touch(&hash, now).await {
                    tracing::debug!(%error, "that a session was used could not be written");
                }
            });
        }
        Ok(live)
    }

    async fn load(&self, hash: &SessionHash) -> Result<Option<(Session, Account)>, Unavailable> {
        let store = &self.0.store;
        let found = async {
            let Some(session) = store.sessions().find(hash).await? else { return Ok(None) };
            let account = store.accounts().find(&session.account).await?;
            Ok(account.filter(|account| account.is_open(false)).map(|account| (session, account)))
        };
        found.await.map_err(|error: StoreError| {
            tracing::error!(%error, "a session cannot be looked up");
            Unavailable
        })
    }

    /// A new session under a new name, whatever the browser was called before; what its cookie holds.
    pub async fn begin(&self, begin: Begin<'_>, now: u64) -> Result<CookieSecret, NotBegun> {
        let Begin { account, settings, disabled_stay_out, user_agent, address, old } = begin;
        let secret = self.0.seal.secret(&self.random()?);
        let session = Session {
            hash: hash_of(&secret),
            account: account.id.clone(),
            tenant: account.tenant.clone(),
            created_at: now,
            last_seen_at: now,
            signed_in_at: now,
            expires_at: now.saturating_add(millis(settings.lifetime)),
            idle: settings.idle_timeout,
            user_agent: shown_user_agent(user_agent),
            address,
        };
        if !self.0.store.sessions().insert(&session, account.password_changed_at, disabled_stay_out).await? {
            return Err(NotBegun::Changed);
        }
        tracing::info!(
            target: "doorward::audit",
            action = "session.started",
            session = session.hash.to_hex(),
            tenant = %session.tenant,
            account = %session.account,
            %address,
            "session started"
        );
        if let Some(old) = old {
            self.end(&hash_of(old), now).await?;
        }
        let keep = u32::try_from(settings.max_per_account).unwrap_or(u32::MAX);
        if self.0.store.sessions().end_oldest(&account.id, keep, now).await? > 0 {
            self.changed(&Change::SessionsOf(account.id.clone())).await;
        }
        Ok(secret)
    }

    /// For the cookie of a form: 256 random bits.
    pub fn new_secret(&self) -> Result<CookieSecret, StoreError> {
        Ok(CookieSecret::new(self.random()?))
    }

    fn random<const SIZE: usize>(&self) -> Result<[u8; SIZE], StoreError> {
        let mut bytes = [0; SIZE];
        let filled = self.0.random.fill(&mut bytes);
        filled.map_err(|_| StoreError::Unavailable("the system has no random numbers".to_owned()))?;
        Ok(bytes)
    }

    /// `false`: there was none.
    pub async fn end(&self, hash: &SessionHash, now: u64) -> Result<bool, StoreError> {
        let ended = self.0.store.sessions().end(hash, now).await?;
        self.changed(&Change::SessionEnded(*hash)).await;
        if ended {
            let session = hash.to_hex();
            tracing::info!(target: "doorward::audit", action = "session.ended", session, "session ended");
        }
        Ok(ended)
    }

    /// Ends all of an account but, maybe, one; how many there were.
    pub async fn end_all(
        &self,
        account: &AccountId,
        except: Option<&SessionHash>,
        now: u64,
    ) -> Result<u64, StoreError> {
        let ended = self.0.store.sessions().end_all(account, except, now).await?;
        self.changed(&Change::SessionsOf(account.clone())).await;
        if ended > 0 {
            tracing::info!(
                target: "doorward::audit",
                action = "session.ended",
                %account,
                sessions = ended,
                "sessions of an account ended"
            );
        }
        Ok(ended)
    }

    /// Those that are alive, the one used last first.
    pub async fn list(&self, account: &AccountId, now: u64) -> Result<Vec<Session>, StoreError> {
        let mut sessions = self.0.store.sessions().list(account).await?;
        sessions.retain(|session| !session.is_over(now));
        Ok(sessions)
    }

    /// A connection stays open on the strength of this session.
    pub fn open(&self, live: &Live) -> Open {
        self.0.openings.open(live.session.hash, &live.session.account, live.session.expires_at)
    }

    /// Returns when the session of an open connection has ended: by its owner, an administrator, silence or age. `clock`
    /// says what time it is, in milliseconds. An open connection is no use of the session: who leaves a page open and goes
    /// away is signed out like anybody else.
    pub async fn ended(&self, open: &Open, clock: impl Fn() -> u64) {
        loop {
            // before the look, so that a change between the two is heard
            let mut changed = std::pin::pin!(open.changed());
            changed.as_mut().enable();
            let left = match self.find_quietly(open.hash(), clock()).await {
                Ok(Some(live)) => live.ends_at().saturating_sub(clock()),
                Ok(None) => return,
                // who cannot find out now leaves the connection open while the session may live: it was let in
                Err(Unavailable) => match open.expires_at().saturating_sub(clock()) {
                    0 => return,
                    left => left,
                },
            };
            tokio::select! {
                () = changed => {}
                () = sleep(Duration::from_millis(left).min(ASK_AGAIN)) => {}
            }
        }
    }

    /// As `find`, without counting as use.
    async fn find_quietly(&self, hash: &SessionHash, now: u64) -> Result<Option<Arc<Live>>, Unavailable> {
        let found = self.0.memory.find_at(&self.0.news, hash, (now, Instant::now()), self.load(hash)).await?;
        match found {
            Some(live) if live.account().disabled && self.stays_out(live.account()).await => Ok(None),
            found => Ok(found),
        }
    }

    /// Whether the account's tenant has accounts that are switched off stay out, as it is now.
    async fn stays_out(&self, account: &Account) -> bool {
        match self.0.tenants.load(&account.tenant).await {
            Found::Tenant(policy) => policy.rules.disabled_stay_out,
            Found::Unknown => true,
        }
    }

    /// Something has changed, here or elsewhere: what memory says about it counts no longer.
    pub async fn changed(&self, change: &Change) {
        let Shared { memory, openings, .. } = &*self.0;
        match change {
            Change::SessionEnded(hash) => {
                memory.forget_session(hash).await;
                openings.wake(hash);
            }
            Change::SessionsOf(account) | Change::AccountChanged(account) => {
                memory.forget_account(account);
                openings.wake_account(account);
            }
            Change::Everything => {
                memory.forget_all();
                openings.wake_all();
            }
            // whether accounts that are switched off stay out is asked on each use
            Change::Governance(_) => openings.wake_all(),
        }
    }

    /// Hears of changes made elsewhere, for as long as it is polled, and tells `hear` of them, too.
    pub async fn follow(&self, hear: impl Fn(&Change)) {
        self.0.news.heard(Instant::now());
        let mut complained = false;
        let mut watch = loop {
            match self.0.store.changes().watch(None).await {
                Ok(watch) => break watch,
                Err(error) => tracing::error!(%error, "changes cannot be followed yet"),
            }
            sleep(Duration::from_millis(500)).await;
        };
        // what changed before is not in memory yet, but for what was asked while the above was tried
        self.changed(&Change::Everything).await;
        hear(&Change::Everything);
        loop {
            let start = Instant::now();
            match watch.look().await {
                Ok(changes) => {
                    // nothing is lost when the store was away; if it was another one, its changes may be
                    if std::mem::take(&mut complained) {
                        hear(&Change::Everything);
                    }
                    for change in &changes {
                        hear(change);
                        self.changed(change).await;
                    }
                    self.0.news.heard(start);
                }
                Err(error) if !complained => {
                    complained = true;
                    tracing::error!(%error, "changes cannot be followed; sessions in memory are looked up again");
                }
                Err(_) => {}
            }
        }
    }
}

/// What the store knows a session by.
pub fn hash_of(secret: &CookieSecret) -> SessionHash {
    let digest = digest::digest(&digest::SHA256, secret.as_bytes());
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    SessionHash::new(hash)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
