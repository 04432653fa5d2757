//! Names that were given on one page, for the password on the next: in memory, by the hash of the portal's session. Each client
//! has a share, so that one client's names do not evict those of others.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{Context, SHA256};
use moka::{ops::compute::Op, policy::EvictionPolicy, sync::Cache};

use crate::domain::{client::ClientAddress, guard::Doubt, lockout::ClientNet, tenant::TenantId};

/// As long as a sign-in may take from the first page to the last password.
const TTL: Duration = Duration::from_mins(15);
/// In bytes, some of them for the key.
const CAPACITY: u64 = 32 * 1024 * 1024;
const OVERHEAD: usize = 128;
/// Names in one portal session: a typing error or two.
const MOST: usize = 4;
/// The maximum number of portal sessions with a name for each client; the client can begin no further one until the oldest
/// has expired. With names of the maximum length they need less than a twentieth of the capacity.
const SHARE: usize = 512;
/// The most clients whose shares are counted.
const CLIENTS: u64 = 4096;

/// A portal's session, hashed.
pub(super) type Session = [u8; 32];

/// The portal sessions that one client has begun, the least recently used first.
#[derive(Default)]
struct Begun(VecDeque<(Instant, Session)>);

pub(super) struct GivenNames {
    names: Cache<Session, Arc<Vec<String>>>,
    begun: Cache<ClientNet, Arc<Mutex<Begun>>>,
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
        let begun = Cache::builder()
            .max_capacity(CLIENTS)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(TTL)
            .build();
        Self { names, begun }
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

    /// Remembers names of a portal session. Fails if the session has too many names or the client too many sessions.
    /// Clients behind a proxy that is not in `server.trusted_proxies` cannot be distinguished, so the limit of sessions
    /// does not apply to them.
    pub fn give(&self, client: ClientAddress, session: Session, given: &[String]) -> Result<(), Doubt> {
        if !client.is_unlisted_proxy && !self.begin(ClientNet::of(client.ip), session, Instant::now()) {
            return Err(Doubt::ManySessions);
        }
        let mut has_room = true;
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
        if has_room { Ok(()) } else { Err(Doubt::ManyNames) }
    }

    /// Counts the session for its client. Returns whether the session is already known or the client is below its limit.
    fn begin(&self, client: ClientNet, session: Session, now: Instant) -> bool {
        let begun = self.begun.get_with(client, Arc::default);
        let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.renew(&session, now) || self.names.contains_key(&session) || begun.add(session, now)
    }
}

impl Begun {
    /// Marks the session as used now. Returns whether this client has begun it.
    fn renew(&mut self, session: &Session, now: Instant) -> bool {
        let known = self.0.iter().position(|(_, known)| known == session);
        let Some(known) = known.and_then(|at| self.0.remove(at)) else { return false };
        self.0.push_back((now, known.1));
        true
    }

    fn add(&mut self, session: Session, now: Instant) -> bool {
        while self.0.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= TTL) {
            self.0.pop_front();
        }
        let has_room = self.0.len() < SHARE;
        if has_room {
            self.0.push_back((now, session));
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(host: u8) -> ClientAddress {
        [192, 0, 2, host].into()
    }

    fn junk(turn: usize) -> Session {
        session(&TenantId::super_tenant(), "cookie:sid", &turn.to_string())
    }

    #[test]
    fn attack_one_client_evicts_the_names_of_others() {
        let (given, tenant) = (GivenNames::default(), TenantId::super_tenant());
        let victim = session(&tenant, "cookie:sid", "victim");
        assert_eq!(given.give(client(1), victim, &["alex".to_owned()]), Ok(()));
        let name = "x".repeat(512);
        for turn in 0..60_000 {
            let result = given.give(client(2), junk(turn), std::slice::from_ref(&name));
            assert_eq!(result.is_ok(), turn < SHARE, "{turn}");
        }
        given.names.run_pending_tasks();
        assert_eq!(given.of(&victim), ["alex"]);
        let held = (0..60_000).filter(|turn| !given.of(&junk(*turn)).is_empty()).count();
        assert_eq!(held, SHARE, "the client's first");
    }

    /// Attack: a client gives the name of the victim, begins many other sessions so that the name is evicted, and then
    /// gives a name without an account.
    #[test]
    fn attack_junk_sessions_evict_the_name_of_the_victim() {
        let (given, tenant) = (GivenNames::default(), TenantId::super_tenant());
        let own = session(&tenant, "cookie:sid", "own");
        let name = |name: &str| [name.to_owned()];
        assert_eq!(given.give(client(1), own, &name("victim")), Ok(()));
        let results: Vec<_> = (0..600).map(|turn| given.give(client(1), junk(turn), &name("junk"))).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), SHARE - 1);
        assert_eq!(results.last(), Some(&Err(Doubt::ManySessions)));
        assert_eq!(given.give(client(1), own, &name("unknown")), Ok(()), "the session is known");
        assert_eq!(given.of(&own), ["victim", "unknown"]);
        // other clients can continue the session and begin their own
        assert_eq!(given.give(client(2), own, &name("third")), Ok(()));
        assert_eq!(given.give(client(2), junk(1000), &name("junk")), Ok(()));
    }

    #[test]
    fn a_client_begins_sessions_again_when_its_oldest_have_ended() {
        let (given, start) = (GivenNames::default(), Instant::now());
        let net = ClientNet::of(client(1).ip);
        assert!((0..SHARE).all(|turn| given.begin(net, junk(turn), start)));
        let later = start + TTL / 2;
        assert!(!given.begin(net, junk(1000), later));
        assert!(given.begin(net, junk(0), later), "a known session is renewed");
        let begun = (1000..2000).filter(|turn| given.begin(net, junk(*turn), start + TTL)).count();
        assert_eq!(begun, SHARE - 1);
    }

    /// Attack: one client behind an unlisted proxy uses up the limit of sessions for all clients behind it.
    #[test]
    fn attack_share_of_an_unlisted_proxy_used_up_by_one_client() {
        let (given, tenant) = (GivenNames::default(), TenantId::super_tenant());
        let proxy = ClientAddress { ip: [10, 0, 0, 1].into(), is_unlisted_proxy: true };
        let owner = session(&tenant, "cookie:sid", "owner");
        assert_eq!(given.give(proxy, owner, &["alex".to_owned()]), Ok(()));
        for turn in 0..2 * SHARE {
            assert_eq!(given.give(proxy, junk(turn), &["junk".to_owned()]), Ok(()), "{turn}");
        }
        assert_eq!(given.of(&owner), ["alex"]);
    }

    #[test]
    fn a_session_has_all_names_that_were_given_in_it() {
        let given = GivenNames::default();
        let tenant = TenantId::super_tenant();
        let [one, other] = ["1", "2"].map(|value| session(&tenant, "cookie:sid", value));
        assert!(given.of(&one).is_empty());
        for name in ["alex", "bea", "alex"] {
            assert_eq!(given.give(client(1), one, &[name.to_owned()]), Ok(()), "{name}");
        }
        assert_eq!(given.of(&one), ["alex", "bea"]);
        assert!(given.of(&other).is_empty());
        assert_eq!(
            given.give(client(1), other, &given.of(&one)),
            Ok(()),
            "a session continues under another value"
        );
        assert_eq!(given.of(&other), ["alex", "bea"]);
    }

    #[test]
    fn attack_so_many_names_that_the_first_is_forgotten() {
        let given = GivenNames::default();
        let one = session(&TenantId::super_tenant(), "cookie:sid", "1");
        let taken = (0..10).filter(|turn| given.give(client(1), one, &[turn.to_string()]).is_ok()).count();
        assert_eq!((taken, given.of(&one)[0].as_str()), (MOST, "0"));
    }
}
