//! Names that were given on one page, for the password on the next: in memory, by the hash of the portal's session. Each client
//! has a share, so that one client's names do not evict those of others.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256};
use moka::{ops::compute::Op, policy::EvictionPolicy, sync::Cache};

use crate::domain::{lockout::ClientNet, tenant::TenantId};

/// As long as a sign-in may take from the first page to the last password.
const TTL: Duration = Duration::from_mins(15);
/// In bytes, some of them for the key.
const CAPACITY: u64 = 32 * 1024 * 1024;
const OVERHEAD: usize = 128;
/// Names in one portal session: a typing error or two.
const MOST: usize = 4;
/// The most portal sessions with a name that one client may have; its oldest is removed. With names of the maximum length this is
/// less than a twentieth of the capacity.
const SHARE: usize = 512;
/// The most clients whose shares are counted.
const CLIENTS: u64 = 4096;

/// A portal's session, hashed.
pub(super) type Session = [u8; 32];

pub(super) struct GivenNames {
    names: Cache<Session, Arc<Vec<String>>>,
    begun: Cache<ClientNet, Arc<Mutex<VecDeque<Session>>>>,
}

impl Default for GivenNames {
    fn default() -> Self {
        let weigh = |_: &Session, names: &Arc<Vec<String>>| {
            let bytes = names.iter().map(|name| name.len() + OVERHEAD).sum::<usize>();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let names = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(weigh)
            // the oldest are evicted: a flood of names does not block new sign-ins
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(TTL)
            .build();
        Self { names, begun: Cache::builder().max_capacity(CLIENTS).time_to_idle(TTL).build() }
    }
}

/// `door`: the tenant that the names belong to; `carrier`: how the portal carries the session.
pub(super) fn session(door: &TenantId, carrier: &str, value: &str) -> Session {
    let mut context = Context::new(&SHA256);
    for part in [door.as_str(), carrier, value] {
        context.update(part.as_bytes());
        context.update(b"\0");
    }
    let mut session = Session::default();
    session.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    session
}

impl GivenNames {
    pub fn of(&self, session: &Session) -> Vec<String> {
        self.names.get(session).map(|names| names.to_vec()).unwrap_or_default()
    }

    /// `false`: the session has had too many names.
    pub fn give(&self, client: ClientNet, session: Session, given: &[String]) -> bool {
        let mut has_room = true;
        if !self.names.contains_key(&session) {
            self.count(client, session);
        }
        self.names.entry(session).and_compute_with(|entry| {
            let mut names = entry.map(|entry| entry.into_value().to_vec()).unwrap_or_default();
            for name in given {
                if names.contains(name) {
                    continue;
                }
                has_room &= names.len() < MOST;
                if has_room {
                    names.push(name.clone());
                }
            }
            Op::Put(Arc::new(names))
        });
        has_room
    }

    /// Counts a new session for the client that has begun it.
    fn count(&self, client: ClientNet, session: Session) {
        let begun = self.begun.get_with(client, Arc::default);
        let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push_back(session);
        if begun.len() > SHARE
            && let Some(oldest) = begun.pop_front()
        {
            self.names.invalidate(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(host: u8) -> ClientNet {
        ClientNet::of([192, 0, 2, host].into())
    }

    #[test]
    fn attack_one_client_evicts_the_names_of_others() {
        let (given, tenant) = (GivenNames::default(), TenantId::super_tenant());
        let victim = session(&tenant, "cookie:sid", "victim");
        assert!(given.give(client(1), victim, &["alex".to_owned()]));
        let name = "x".repeat(512);
        for turn in 0..60_000 {
            let junk = session(&tenant, "cookie:sid", &turn.to_string());
            given.give(client(2), junk, std::slice::from_ref(&name));
        }
        given.names.run_pending_tasks();
        assert_eq!(given.of(&victim), ["alex"]);
        let held = (0..60_000)
            .filter(|turn| !given.of(&session(&tenant, "cookie:sid", &turn.to_string())).is_empty())
            .count();
        assert_eq!(held, SHARE, "the client's latest");
    }

    #[test]
    fn a_session_has_all_names_that_were_given_in_it() {
        let given = GivenNames::default();
        let tenant = TenantId::super_tenant();
        let [one, other] = ["1", "2"].map(|value| session(&tenant, "cookie:sid", value));
        assert!(given.of(&one).is_empty());
        for name in ["alex", "bea", "alex"] {
            assert!(given.give(client(1), one, &[name.to_owned()]), "{name}");
        }
        assert_eq!(given.of(&one), ["alex", "bea"]);
        assert!(given.of(&other).is_empty());
        assert!(given.give(client(1), other, &given.of(&one)), "a session continues under another value");
        assert_eq!(given.of(&other), ["alex", "bea"]);
    }

    #[test]
    fn attack_so_many_names_that_the_first_is_forgotten() {
        let given = GivenNames::default();
        let one = session(&TenantId::super_tenant(), "cookie:sid", "1");
        let taken = (0..10).filter(|turn| given.give(client(1), one, &[turn.to_string()])).count();
        assert_eq!((taken, given.of(&one)[0].as_str()), (MOST, "0"));
    }
}
