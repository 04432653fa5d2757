use super::*;
use crate::domain::{tenant::TenantId, time::Timestamp};

const SHARE: ResourceLimit = ResourceLimit { client: 2, all: 8 };

fn client(registry: &ClientRegistry, address: &str) -> Arc<ClientState> {
    registry.by_address(address.parse().unwrap())
}

/// Takes permits until the address gets no more.
fn take(registry: &ClientRegistry, address: &str) -> (Vec<Permit>, Exceeded) {
    let client = client(registry, address);
    let mut held = Vec::new();
    loop {
        match client.acquire(Resource::Upgrade, 1, SHARE) {
            Ok(permit) => held.push(permit),
            Err(exceeded) => return (held, exceeded),
        }
    }
}

#[test]
fn attack_addresses_of_one_network_take_everything() {
    for addresses in [
        ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:100::1"],
        ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"],
    ] {
        let registry = ClientRegistry::default();
        let held: Vec<_> = addresses.iter().map(|address| take(&registry, address)).collect();
        let of_the_network: usize = held.iter().map(|(permits, _)| permits.len()).sum();
        assert!(of_the_network < SHARE.all, "{of_the_network}");
        assert!(
            held.iter().all(|(permits, exceeded)| {
                permits.len() <= SHARE.client && *exceeded == Exceeded::Client
            })
        );
        assert!(!take(&registry, "198.51.100.1").0.is_empty(), "another network is served");
    }
}

#[test]
fn rejected_and_released_permits_are_not_counted() {
    let registry = ClientRegistry::default();
    for _ in 0..3 {
        let (held, exceeded) = take(&registry, "192.0.2.1");
        assert_eq!((held.len(), exceeded), (2, Exceeded::Client));
        assert_eq!(registry.all().held(Resource::Upgrade), 2);
        assert_eq!(registry.all().held(Resource::Request), 0);
        drop(held);
        assert_eq!(registry.all().held(Resource::Upgrade), 0);
    }
}

#[test]
fn all_clients_together_have_a_limit() {
    let registry = ClientRegistry::default();
    let held: Vec<_> = (1..=5).map(|n| take(&registry, &format!("192.0.{n}.1"))).collect();
    assert_eq!(held.iter().map(|(permits, _)| permits.len()).collect::<Vec<_>>(), [2, 2, 2, 2, 0]);
    assert_eq!(held.last().unwrap().1, Exceeded::All);
    // a client without a limit of its own counts there, too
    assert!(registry.all().acquire(Resource::Upgrade, 1, SHARE).is_err());
}

#[test]
fn a_user_is_one_client_from_every_address_and_apart_from_them() {
    let registry = ClientRegistry::default();
    let user = |name: &str| User {
        name: name.to_owned(),
        tenant: TenantId::super_tenant(),
        email: None,
        display_name: None,
        roles: vec![],
        scopes: vec![],
        expires_at: Timestamp::EPOCH,
    };
    let [one, again, other] = ["alex", "alex", "kim"].map(|name| registry.by_user(&user(name)));
    assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &other));
    let _held = [(); 2].map(|()| one.acquire(Resource::Upgrade, 1, SHARE).unwrap());
    assert_eq!(again.acquire(Resource::Upgrade, 1, SHARE).unwrap_err(), Exceeded::Client);
    assert!(other.acquire(Resource::Upgrade, 1, SHARE).is_ok());
}

#[test]
fn attack_requests_from_one_network_share_its_rate() {
    let (registry, rate) = (ClientRegistry::default(), Rate { per_second: 10, burst: 3 });
    let now = Instant::now();
    let passed = |address: &str| {
        let client = client(&registry, address);
        (0..10).filter(|_| registry.take_request(&client, rate, now).is_ok()).count()
    };
    let passed: Vec<_> = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1"].map(passed).into();
    assert_eq!(passed, [3, 3, 0, 3]);
    let over = client(&registry, "192.0.2.1");
    assert!(registry.take_request(&over, rate, now).unwrap_err() <= Duration::from_millis(100));
    assert!(registry.take_request(&over, rate, now + Duration::from_secs(1)).is_ok());
    assert!((0..100).all(|_| registry.take_request(registry.all(), rate, now).is_ok()), "no limit");
}

#[test]
fn rejection_by_the_network_does_not_use_the_clients_own_rate() {
    let (registry, rate) = (ClientRegistry::default(), Rate { per_second: 10, burst: 3 });
    let now = Instant::now();
    let passed = |address: &str, milliseconds: u64| {
        let (client, at) = (client(&registry, address), now + Duration::from_millis(milliseconds));
        (0..10).filter(|_| registry.take_request(&client, rate, at).is_ok()).count()
    };
    // two addresses use up the rate of the network, which is twice as high
    assert_eq!([passed("192.0.2.1", 0), passed("192.0.2.2", 0), passed("192.0.2.3", 0)], [3, 3, 0]);
    // three more after 150 ms, and the third has used none of its own rate
    assert_eq!(passed("192.0.2.3", 150), 3);
    assert_eq!(passed("192.0.2.3", 200), 0, "its own rate");
}

#[test]
fn attack_many_addresses_leave_nothing_behind() {
    let (registry, rate) = (ClientRegistry::default(), Rate { per_second: 1, burst: 5 });
    let now = Instant::now();
    let stays = client(&registry, "203.0.113.1");
    let held = stays.acquire(Resource::Upgrade, 1, SHARE).unwrap();
    drop(stays);
    for number in 0..200_000_u32 {
        let address = IpAddr::from(number.wrapping_mul(2_654_435_761).to_be_bytes());
        registry.take_request(&registry.by_address(address), rate, now).unwrap();
    }
    assert!(registry.len() <= MAX_IDLE + SHARDS, "{}", registry.len());
    // the rate is retained: a client that closes its connection gets no new burst
    let greedy = client(&registry, "203.0.113.9");
    while registry.take_request(&greedy, rate, now).is_ok() {}
    drop(greedy);
    registry.sweep(now + Duration::from_secs(1));
    let greedy = client(&registry, "203.0.113.9");
    assert!(registry.take_request(&greedy, rate, now).is_err());
    drop(greedy);
    registry.sweep(now + Duration::from_mins(1));
    assert_eq!(registry.len(), 2, "the one that holds something, and its network");
    drop(held);
    registry.sweep(now + Duration::from_secs(61));
    // a client goes first, its network with the next sweep
    registry.sweep(now + Duration::from_secs(62));
    assert!(registry.is_empty());
}
