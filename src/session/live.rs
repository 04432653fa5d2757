//! A session in memory: whose it is, and when it was used last.

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
    },
    sync::client_limits::ClientState,
};

type IdentityHeaders = Arc<[(HeaderName, HeaderValue)]>;

/// Who holds a session, shared by all sessions of the account that were loaded since it last changed.
pub(super) struct Person {
    pub account: Account,
}

/// A session that was alive when it was loaded.
pub struct Live {
    /// As the store has it; it may have been used since.
    pub session: Session,
    /// Who sits there, for the decision and the portal.
    pub user: Arc<User>,
    /// Identity headers for the portal under the policy of this generation, made by the proxy when first needed.
    pub headers: OnceLock<(u64, IdentityHeaders)>,
    /// The user's limits, looked up by the proxy when first needed.
    pub client_state: OnceLock<Arc<ClientState>>,
    pub(super) person: Arc<Person>,
    last_seen: AtomicU64,
    written: AtomicU64,
    /// When the store last said so again while no changes were heard of; see [`super::news`].
    pub(super) confirmed: AtomicU64,
}

/// How far the store may be behind in knowing when a session was used.
const WRITE_EVERY: u64 = 60_000;

impl Live {
    pub(super) fn new(session: Session, person: Arc<Person>) -> Self {
        let account = &person.account;
        let full: Vec<_> =
            [&account.given_name, &account.family_name].into_iter().flatten().map(String::as_str).collect();
        let user = User {
            name: names::key(&account.user_store, &account.username),
            tenant: account.tenant.clone(),
            email: account.email.clone(),
            display_name: (!full.is_empty()).then(|| full.join(" ")),
            roles: account.roles.clone(),
            scopes: Vec::new(),
            expires_at: session.expires_at / 1000,
        };
        Self {
            user: Arc::new(user),
            last_seen: AtomicU64::new(session.last_seen_at),
            written: AtomicU64::new(session.last_seen_at),
            confirmed: Self::unconfirmed(),
            headers: OnceLock::new(),
            client_state: OnceLock::new(),
            person,
            session,
        }
    }

    /// As the account was when the session was loaded; a change of it loads the session anew.
    pub fn account(&self) -> &Account {
        &self.person.account
    }

    /// Milliseconds since the epoch.
    pub fn last_seen_at(&self) -> u64 {
        self.last_seen.load(Ordering::Relaxed)
    }

    /// Whether it has ended by age, or by silence as far as this Doorward knows.
    pub(super) fn is_over(&self, now: u64) -> bool {
        now >= self.ends_at()
    }

    /// When it ends if nobody uses it again, at this Doorward or another.
    pub(super) fn ends_at(&self) -> u64 {
        let idle = u64::try_from(self.session.idle.as_millis()).unwrap_or(u64::MAX);
        self.session.expires_at.min(self.last_seen_at().saturating_add(idle))
    }

    /// It is used now; `true` when the store should hear of it.
    pub(super) fn touch(&self, now: u64) -> bool {
        self.last_seen.fetch_max(now, Ordering::Relaxed);
        let written = self.written.load(Ordering::Relaxed);
        now.saturating_sub(written) >= WRITE_EVERY
            // one of those who come at the same moment
            && self.written.compare_exchange(written, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
