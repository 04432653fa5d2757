//! An active session in the cache: its user, and its last use.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use http::{HeaderName, HeaderValue};

use crate::{
    domain::{
        account::{Account, names},
        identity::User,
        session::Session,
        time::Timestamp,
        time::millis,
    },
    sync::client_limits::ClientState,
};

type CachedIdentityHeaders = Arc<[(HeaderName, HeaderValue)]>;

/// The owner of a session, shared by all sessions of the account that were loaded since its last change.
pub(super) struct SessionOwner {
    pub account: Account,
}

/// A session that was active when it was loaded.
pub struct ActiveSession {
    /// As stored; it may have been used since.
    pub session: Session,
    /// The user, for the access decision and the identity headers.
    pub user: Arc<User>,
    /// Identity headers for the portal under the policy of this generation, made by the proxy when first needed.
    pub headers: OnceLock<(u64, CachedIdentityHeaders)>,
    /// The user's limits, looked up by the proxy when first needed.
    pub client_state: OnceLock<Arc<ClientState>>,
    pub(super) owner: Arc<SessionOwner>,
    last_seen: AtomicU64,
    written: AtomicU64,
    /// When the store last confirmed the session while the change feed was down; see [`super::change_feed_health`].
    pub(super) confirmed: AtomicU64,
}

/// Interval in which the last use is written to the store, in milliseconds.
const WRITE_INTERVAL_MS: u64 = 60_000;

impl ActiveSession {
    pub(super) fn new(session: Session, owner: Arc<SessionOwner>) -> Self {
        let account = &owner.account;
        let full: Vec<_> =
            [&account.given_name, &account.family_name].into_iter().flatten().map(String::as_str).collect();
        let user = User {
            name: names::key(&account.user_store, &account.username),
            tenant: account.tenant.clone(),
            email: account.email.clone(),
            display_name: (!full.is_empty()).then(|| full.join(" ")),
            roles: account.roles.clone(),
            scopes: Vec::new(),
            expires_at: Timestamp::from_millis(session.expires_at),
        };
        Self {
            user: Arc::new(user),
            last_seen: AtomicU64::new(session.last_seen_at),
            written: AtomicU64::new(session.last_seen_at),
            confirmed: Self::unconfirmed(),
            headers: OnceLock::new(),
            client_state: OnceLock::new(),
            owner,
            session,
        }
    }

    /// The account as loaded with the session; a change of the account reloads the session.
    pub fn account(&self) -> &Account {
        &self.owner.account
    }

    /// Milliseconds since the epoch.
    pub fn last_seen_at(&self) -> u64 {
        self.last_seen.load(Ordering::Relaxed)
    }

    /// Whether the session has expired, or is idle for too long as far as this replica knows.
    pub(super) fn is_expired(&self, now: u64) -> bool {
        now >= self.ends_at()
    }

    /// When the session ends if it is not used again on any replica.
    pub(super) fn ends_at(&self) -> u64 {
        let idle = millis(self.session.idle);
        self.session.expires_at.min(self.last_seen_at().saturating_add(idle))
    }

    /// Records a use; `true` if the use should be written to the store.
    pub(super) fn touch(&self, now: u64) -> bool {
        self.last_seen.fetch_max(now, Ordering::Relaxed);
        let written = self.written.load(Ordering::Relaxed);
        now.saturating_sub(written) >= WRITE_INTERVAL_MS
            // only one of several concurrent requests writes
            && self.written.compare_exchange(written, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
