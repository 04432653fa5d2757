//! How often refusals at the portal's sign-in are written to the log and the audit log. A refusal costs the client nothing, so a
//! flood of them is written once a minute for each counter, account and client network, with the number that was left out.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::{
    domain::{
        account::AccountId,
        client::ClientAddress,
        lockout::{ClientNetwork, CounterKey},
        time::Timestamp,
    },
    telemetry::log_throttle::LogThrottle,
};

const INTERVAL: Duration = Duration::from_mins(1);
/// Longer than the interval, so that the next event still has the number that was left out.
const TTL: Duration = Duration::from_mins(10);
/// An entry that is evicted costs one event more.
const CAPACITY: u64 = 10_000;

type Key = (CounterKey, Option<AccountId>, ClientNetwork);

#[derive(Clone)]
pub(super) struct Refusals(Cache<Key, Arc<LogThrottle>>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_idle(TTL).build())
    }
}

impl Refusals {
    /// Whether a refusal because of the lock of the counter `by` is written, and how many were left out before it.
    pub fn turn(
        &self,
        by: &CounterKey,
        account: Option<&AccountId>,
        address: ClientAddress,
        now: Timestamp,
    ) -> Option<u64> {
        let key = (by.clone(), account.cloned(), ClientNetwork::of(address.ip));
        self.0.get_with(key, Arc::default).admit_each(INTERVAL, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{lockout::NameHash, tenant::TenantId};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn attack_flood_of_refusals_fills_the_audit_log() {
        let refusals = Refusals::default();
        let tenant = TenantId::super_tenant;
        let name = |byte: u8| CounterKey::PortalName { tenant: tenant(), name: NameHash::of(&[byte; 32]) };
        let net = ClientNetwork::of([192, 0, 2, 1].into());
        let (alex, kim) = ("00000000000000000000000000000a1e", "00000000000000000000000000000b0b");
        let account = |id: &str| AccountId::parse(id).unwrap();
        let (first, second) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let floods: [(CounterKey, Option<AccountId>, ClientAddress); 6] = [
            (name(1), None, first),
            (name(1), None, second),
            (name(2), None, first),
            (name(1), Some(account(alex)), first),
            (CounterKey::Address { tenant: tenant(), net }, Some(account(kim)), first),
            (CounterKey::Nameless { tenant: tenant(), net }, None, first),
        ];
        for (by, account, address) in &floods {
            let turn = |millis: u64| {
                refusals.turn(by, account.as_ref(), *address, NOW + Duration::from_millis(millis))
            };
            let written: Vec<_> = (0..1000).filter_map(turn).collect();
            assert_eq!(written, [0], "{by:?} {address}");
            assert_eq!([turn(59_999), turn(60_000), turn(60_001)], [None, Some(1000), None]);
            assert_eq!(turn(200_000), Some(1));
        }
        let host = |host: u16| ClientAddress::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]);
        let hosts = (0..500).filter(|n| refusals.turn(&name(3), None, host(*n), NOW).is_some());
        assert_eq!(hosts.count(), 1, "addresses of one IPv6 /64");
    }

    #[test]
    fn bounds_the_memory_that_invented_names_take() {
        let refusals = Refusals::default();
        for turn in 0..30_000_u32 {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&turn.to_be_bytes());
            let by = CounterKey::PortalName { tenant: TenantId::super_tenant(), name: NameHash::of(&hash) };
            refusals.turn(&by, None, [192, 0, 2, 1].into(), NOW);
        }
        refusals.0.run_pending_tasks();
        assert!(refusals.0.entry_count() <= CAPACITY, "{}", refusals.0.entry_count());
    }
}
