//! User names that were entered on one page, for the password on the next: in memory, by the hash of the portal's session. Each client
//! has a share, and so have the networks around it, so that the names of one client or site do not evict those of others.

use std::{net::IpAddr, sync::Arc, time::Duration};

use moka::{ops::compute::Op, policy::EvictionPolicy, sync::Cache};

use super::session_limit::{PortalSessionLimit, SessionPermit};
use crate::{
    crypto::sha256,
    domain::{fairness::ResourceLimit, guard::AmbiguousLogin, tenant::TenantId},
};

/// As long as a sign-in may take from the first page to the last password.
const TTL: Duration = Duration::from_mins(15);
/// In bytes.
const CAPACITY: usize = 32 * 1024 * 1024;
/// Of a session and of a name, in bytes, beside the text of the names.
const OVERHEAD: usize = 256;
const OVERHEAD_OF_NAME: usize = 32;
/// Names in one portal session: allows for typing errors.
const MAX_NAMES: usize = 4;
/// Of all names in one portal session, in bytes. The names themselves are needed to find their counters; one has at most as many.
const MOST_BYTES: usize = 512;
/// Sessions that have room with names of the maximum length.
const SESSIONS: usize = CAPACITY / (OVERHEAD + MAX_NAMES * OVERHEAD_OF_NAME + MOST_BYTES);
/// The most portal sessions with a name that one client may have; it can begin no more until the oldest ends. Networks around it have
/// more, as for limits of requests, but none has more than a quarter of the room.
const SHARE: ResourceLimit = ResourceLimit { client: 512, all: SESSIONS / 4 };

/// Hash of a portal session.
pub(super) type PortalSessionHash = [u8; 32];

/// The names of one session.
#[derive(Debug, Clone, Default)]
struct NamedSession {
    names: Vec<String>,
    /// `None`: the session does not count for a client.
    _permit: Option<Arc<SessionPermit>>,
}

pub(super) struct SessionNames {
    sessions: Cache<PortalSessionHash, Arc<NamedSession>>,
    limit: Arc<PortalSessionLimit>,
}

impl Default for SessionNames {
    fn default() -> Self {
        Self::new(TTL)
    }
}

/// `tenant`: the tenant that the names belong to; `carrier`: how the portal transports the session.
pub(super) fn hash_session(tenant: &TenantId, carrier: &str, value: &str) -> PortalSessionHash {
    sha256(format!("{tenant}\0{carrier}\0{value}\0").as_bytes())
}

impl SessionNames {
    fn new(ttl: Duration) -> Self {
        let weigh = |_: &PortalSessionHash, entry: &Arc<NamedSession>| {
            let names = entry.names.iter().map(|name| name.len() + OVERHEAD_OF_NAME).sum::<usize>();
            u32::try_from(OVERHEAD + names).unwrap_or(u32::MAX)
        };
        let sessions = Cache::builder()
            .max_capacity(CAPACITY as u64)
            .weigher(weigh)
            // the oldest are evicted: a flood of names does not block new sign-ins
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(ttl)
            .build();
        Self { sessions, limit: Arc::new(PortalSessionLimit::new(SHARE)) }
    }

    pub fn get(&self, session: &PortalSessionHash) -> Vec<String> {
        self.sessions.get(session).map(|entry| entry.names.clone()).unwrap_or_default()
    }

    /// An error if the session has too many names, or the client too many sessions. `client`: the address whose share counts, if
    /// one does.
    pub fn add(
        &self,
        client: Option<IpAddr>,
        session: PortalSessionHash,
        names: &[String],
    ) -> Result<(), AmbiguousLogin> {
        let mut added = self.try_add(client, session, names);
        if added == Err(AmbiguousLogin::ManySessions) {
            // sessions that have ended are removed only now and then
            self.sessions.run_pending_tasks();
            added = self.try_add(client, session, names);
        }
        added
    }

    fn try_add(
        &self,
        client: Option<IpAddr>,
        session: PortalSessionHash,
        names: &[String],
    ) -> Result<(), AmbiguousLogin> {
        let mut result = Ok(());
        self.sessions.entry(session).and_compute_with(|known| {
            let mut entry = match (known, client) {
                (Some(known), _) => NamedSession::clone(&known.into_value()),
                (None, None) => NamedSession::default(),
                (None, Some(client)) => {
                    let Some(permit) = self.limit.acquire(client) else {
                        result = Err(AmbiguousLogin::ManySessions);
                        return Op::Nop;
                    };
                    NamedSession { _permit: Some(Arc::new(permit)), ..NamedSession::default() }
                }
            };
            for name in names {
                if let Err(doubt) = entry.add(name) {
                    result = Err(doubt);
                }
            }
            Op::Put(Arc::new(entry))
        });
        result
    }
}

impl NamedSession {
    fn add(&mut self, name: &str) -> Result<(), AmbiguousLogin> {
        if self.names.iter().any(|known| known == name) {
            return Ok(());
        }
        let bytes = self.names.iter().map(String::len).sum::<usize>() + name.len();
        if self.names.len() >= MAX_NAMES || bytes > MOST_BYTES {
            return Err(AmbiguousLogin::TooManyNames);
        }
        self.names.push(name.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(host: u8) -> IpAddr {
        [192, 0, 2, host].into()
    }

    fn junk(turn: usize) -> PortalSessionHash {
        hash_session(&TenantId::super_tenant(), "cookie:sid", &turn.to_string())
    }

    #[test]
    fn attack_one_client_evicts_the_names_of_others() {
        let (names, tenant) = (SessionNames::default(), TenantId::super_tenant());
        let victim = hash_session(&tenant, "cookie:sid", "victim");
        assert_eq!(names.add(Some(client(1)), victim, &["alex".to_owned()]), Ok(()));
        let name = "x".repeat(512);
        for turn in 0..60_000 {
            let result = names.add(Some(client(2)), junk(turn), std::slice::from_ref(&name));
            assert_eq!(result.is_ok(), turn < SHARE.client, "{turn}");
        }
        names.sessions.run_pending_tasks();
        assert_eq!(names.get(&victim), ["alex"]);
        let held = (0..60_000).filter(|turn| !names.get(&junk(*turn)).is_empty()).count();
        assert_eq!(held, SHARE.client, "the client's first");
    }

    /// Attack: a client gives the name of the victim, begins many other sessions so that the name is evicted, and then
    /// gives a name without an account.
    #[test]
    fn attack_junk_sessions_evict_the_name_of_the_victim() {
        let (names, tenant) = (SessionNames::default(), TenantId::super_tenant());
        let own = hash_session(&tenant, "cookie:sid", "own");
        let name = |name: &str| [name.to_owned()];
        assert_eq!(names.add(Some(client(1)), own, &name("victim")), Ok(()));
        let results: Vec<_> =
            (0..600).map(|turn| names.add(Some(client(1)), junk(turn), &name("junk"))).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), SHARE.client - 1);
        assert_eq!(results.last(), Some(&Err(AmbiguousLogin::ManySessions)));
        assert_eq!(names.add(Some(client(1)), own, &name("unknown")), Ok(()), "the session is known");
        assert_eq!(names.get(&own), ["victim", "unknown"]);
        // other clients can continue the session and begin their own
        assert_eq!(names.add(Some(client(2)), own, &name("third")), Ok(()));
        assert_eq!(names.add(Some(client(2)), junk(1000), &name("junk")), Ok(()));
    }

    #[test]
    fn a_client_begins_sessions_again_when_its_oldest_have_ended() {
        let names = SessionNames::new(Duration::ZERO);
        for turn in 0..3 * SHARE.client {
            assert_eq!(names.add(Some(client(1)), junk(turn), &["alex".to_owned()]), Ok(()), "{turn}");
        }
    }

    /// Attack: one site has many networks, each with a share.
    #[test]
    fn attack_networks_of_one_site_evict_the_names_of_others() {
        let (names, tenant) = (SessionNames::default(), TenantId::super_tenant());
        let victim = hash_session(&tenant, "cookie:sid", "victim");
        assert_eq!(names.add(Some(client(1)), victim, &["alex".to_owned()]), Ok(()));
        let each: Vec<_> = (0..MAX_NAMES).map(|turn| format!("{turn}{}", "x".repeat(127))).collect();
        let of_site = |net: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, net, 0, 0, 0, 1]));
        let mut taken = 0;
        for net in 0..256_u16 {
            let sessions = (0..SHARE.client).map(|turn| usize::from(net) * SHARE.client + turn);
            taken += sessions.filter(|turn| names.add(of_site(net), junk(*turn), &each).is_ok()).count();
        }
        names.sessions.run_pending_tasks();
        assert!(taken < SESSIONS / 4, "{taken}");
        assert_eq!(names.get(&victim), ["alex"]);
    }

    /// Attack: one client behind a proxy that is not listed, or in a network of `account_lock.allow`, uses up the share of all there.
    #[test]
    fn attack_share_of_an_unlisted_proxy_used_up_by_one_client() {
        let (names, tenant) = (SessionNames::default(), TenantId::super_tenant());
        let proxy = None;
        let owner = hash_session(&tenant, "cookie:sid", "owner");
        assert_eq!(names.add(proxy, owner, &["alex".to_owned()]), Ok(()));
        for turn in 0..2 * SHARE.client {
            assert_eq!(names.add(proxy, junk(turn), &["junk".to_owned()]), Ok(()), "{turn}");
        }
        assert_eq!(names.get(&owner), ["alex"]);
    }

    #[test]
    fn keeps_all_names_of_a_session() {
        let names = SessionNames::default();
        let tenant = TenantId::super_tenant();
        let [one, other] = ["1", "2"].map(|value| hash_session(&tenant, "cookie:sid", value));
        assert!(names.get(&one).is_empty());
        for name in ["alex", "bea", "alex"] {
            assert_eq!(names.add(Some(client(1)), one, &[name.to_owned()]), Ok(()), "{name}");
        }
        assert_eq!(names.get(&one), ["alex", "bea"]);
        assert!(names.get(&other).is_empty());
        assert_eq!(
            names.add(Some(client(1)), other, &names.get(&one)),
            Ok(()),
            "a session continues under another value"
        );
        assert_eq!(names.get(&other), ["alex", "bea"]);
    }

    #[test]
    fn attack_many_names_evict_the_first() {
        let names = SessionNames::default();
        let one = hash_session(&TenantId::super_tenant(), "cookie:sid", "1");
        let taken =
            (0..10).filter(|turn| names.add(Some(client(1)), one, &[turn.to_string()]).is_ok()).count();
        assert_eq!((taken, names.get(&one)[0].as_str()), (MAX_NAMES, "0"));
        let long = hash_session(&TenantId::super_tenant(), "cookie:sid", "long");
        let name = |start: &str| [format!("{start}{}", "x".repeat(300))];
        assert_eq!(names.add(Some(client(1)), long, &name("a")), Ok(()));
        assert_eq!(names.add(Some(client(1)), long, &name("b")), Err(AmbiguousLogin::TooManyNames));
    }
}
