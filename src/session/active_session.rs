//! An active session in the cache: its user, and its last use.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue};

use crate::{
    domain::{
        account::{Account, names},
        identity::User,
        session::Session,
        time::Timestamp,
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
    /// In milliseconds since the epoch, as `written`: when the last use was written to the store.
    last_seen: AtomicU64,
    written: AtomicU64,
    /// When the store last confirmed the session while the change feed was down; see [`super::change_feed_health`].
    pub(super) confirmed: AtomicU64,
}

/// Interval in which the last use is written to the store.
const WRITE_INTERVAL: Duration = Duration::from_mins(1);

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
            expires_at: session.expires_at,
        };
        Self {
            user: Arc::new(user),
            last_seen: AtomicU64::new(session.last_seen_at.as_millis()),
            written: AtomicU64::new(session.last_seen_at.as_millis()),
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

    pub fn last_seen_at(&self) -> Timestamp {
        Timestamp::from_millis(self.last_seen.load(Ordering::Relaxed))
    }

    /// Whether the session has expired, or is idle for too long as far as this replica knows.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }

    /// When the session ends if it is not used again on any replica.
    pub(super) fn ends_at(&self) -> Timestamp {
        self.session.expires_at.min(self.last_seen_at() + self.session.idle)
    }

    /// Records a use; `true` if the use should be written to the store.
    pub(super) fn touch(&self, now: Timestamp) -> bool {
        let millis = now.as_millis();
        self.last_seen.fetch_max(millis, Ordering::Relaxed);
        let written = self.written.load(Ordering::Relaxed);
        now.saturating_since(Timestamp::from_millis(written)) >= WRITE_INTERVAL
            // only one of several concurrent requests writes
            && self.written.compare_exchange(written, millis, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
