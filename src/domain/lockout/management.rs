//! The lockout of the management API. An administrator's name is counted for each address by itself: a counter of the name
//! alone would let every client that reaches the API, or a sign-in page, lock the administrator out.

use std::time::Duration;

use super::{Attempt, ClientNet, CounterKey, LockoutSettings, Threshold, keys};

/// A lock is at least this long, because it does not grow.
const LEAST_LOCK: Duration = Duration::from_mins(15);

/// The settings and the counters of an attempt. Networks in `account_lock.allow` are counted, too: their users share an
/// address, but not a name.
pub fn at_management(settings: &LockoutSettings, attempt: &Attempt) -> (LockoutSettings, Vec<CounterKey>) {
    let per_name = settings.enabled.then(|| Threshold {
        max_attempts: settings.max_attempts,
        window: Duration::ZERO,
        time: if settings.time.is_zero() { Duration::ZERO } else { settings.time.max(LEAST_LOCK) },
    });
    let settings = LockoutSettings {
        account_and_address: settings.account_and_address.or(per_name),
        device: None,
        ..settings.clone()
    };
    let mut counters = keys(&settings, attempt);
    if let Some(address) = attempt.address {
        counters.retain(|key| matches!(key, CounterKey::Address { .. }));
        let (tenant, who, net) = (attempt.tenant.clone(), attempt.who.clone(), ClientNet::of(address));
        counters.push(CounterKey::AccountAddress { tenant, who, net });
        counters.sort();
    }
    (settings, counters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{lockout::Who, tenant::TenantId};

    fn counters(settings: &LockoutSettings, address: &str) -> Vec<String> {
        let attempt = Attempt {
            tenant: TenantId::parse("acme.com").unwrap(),
            who: Who::Unknown(7),
            alike: None,
            spelling: None,
            address: Some(address.parse().unwrap()),
            device: None,
        };
        at_management(settings, &attempt).1.iter().map(CounterKey::to_text).collect()
    }

    #[test]
    fn counts_a_name_for_each_address_and_never_by_itself() {
        let off = LockoutSettings::default();
        let on = LockoutSettings { enabled: true, ..off.clone() };
        let threshold = Threshold { max_attempts: 9, window: Duration::ZERO, time: Duration::ZERO };
        let office = LockoutSettings {
            address: Some(threshold),
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            ..on.clone()
        };
        let pair = "name-address|acme.com|unknown:0007|10.0.0.7";
        // present also where nothing is counted: a transaction needs a row
        assert_eq!(counters(&off, "10.0.0.7"), [pair]);
        assert_eq!(counters(&on, "10.0.0.7"), [pair]);
        assert_eq!(counters(&office, "10.0.0.7"), [pair]);
        assert_eq!(
            counters(&office, "192.0.2.1"),
            ["address|acme.com|192.0.2.1", "name-address|acme.com|unknown:0007|192.0.2.1"]
        );
    }
}
