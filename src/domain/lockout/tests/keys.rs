//! Which counters an attempt has, and how they are written.

use core::net::IpAddr;

use super::*;

fn attempt(from: Option<&str>, device: bool) -> CountedAttempt {
    CountedAttempt {
        tenant: tenant(),
        subject: alex(),
        confusable: None,
        spelling: None,
        address: from.map(|text| text.parse().unwrap()),
        device: device.then(|| DeviceId::new([0xab; 16])),
    }
}

fn texts(settings: &LockoutSettings, attempt: &CountedAttempt) -> Vec<String> {
    counter_keys(settings, attempt).iter().map(CounterKey::to_text).collect()
}

#[test]
fn an_attempt_has_the_counters_that_are_switched_on() {
    let name = "name|carbon.super|account:00000000000000000000000000000a1e";
    let threshold = LockoutThreshold { max_attempts: 1, window: Duration::ZERO, time: Duration::ZERO };
    let all = LockoutSettings {
        address: Some(threshold),
        account_and_address: Some(threshold),
        device: Some(threshold),
        exempt_networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()],
        ..wso2()
    };
    assert_eq!(texts(&wso2(), &attempt(Some("192.0.2.1"), true)), [name]);
    let portal = CountedAttempt { confusable: Some(NameHash::of(&[0xcd; 32])), ..attempt(None, false) };
    assert_eq!(texts(&wso2(), &portal), [name, "alike|carbon.super|cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"]);
    let ours = CountedAttempt { spelling: Some(NameHash::of(&[0xef; 32])), ..attempt(None, false) };
    let spelling =
        "spelling|carbon.super|account:00000000000000000000000000000a1e|efefefefefefefefefefefefefefefef";
    let forgiven = "forgiven|carbon.super|account:00000000000000000000000000000a1e";
    assert_eq!(texts(&wso2(), &ours), [name, spelling, forgiven]);
    // a lock is checked even where nothing is counted
    assert_eq!(texts(&LockoutSettings::default(), &attempt(None, false)), [name]);
    assert_eq!(texts(&all, &attempt(None, false)), [name]);
    assert_eq!(
        texts(&all, &attempt(Some("192.0.2.1"), true)),
        [
            name,
            "address|carbon.super|192.0.2.1",
            "name-address|carbon.super|account:00000000000000000000000000000a1e|192.0.2.1",
            "device|carbon.super|account:00000000000000000000000000000a1e|abababababababababababababababab",
            "devices|carbon.super|account:00000000000000000000000000000a1e",
        ]
    );
    for allowed in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8:1:2::3"] {
        assert_eq!(texts(&all, &attempt(Some(allowed), false)), [name], "{allowed}");
    }
}

#[test]
fn an_ipv6_customer_is_one_address() {
    for (address, net) in [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
    ] {
        let client = ClientNetwork::of(address.parse::<IpAddr>().unwrap());
        assert_eq!(client.to_string(), net);
    }
}

#[test]
fn each_counter_key_has_its_own_text() {
    let of = |login_subject: LoginSubject| CounterKey::of(tenant(), login_subject);
    let net = |text: &str| ClientNetwork::of(text.parse().unwrap());
    let hash = [0xfe; 32];
    let subjects = [alex(), LoginSubject::PortalName(NameHash::of(&hash)), LoginSubject::unknown(&hash)];
    let mut written = vec![
        CounterKey::Confusable { tenant: tenant(), name: NameHash::of(&hash) },
        CounterKey::Address { tenant: tenant(), net: net("2001:db8::1") },
        CounterKey::Address { tenant: tenant(), net: net("192.0.2.1") },
        CounterKey::Nameless { tenant: tenant(), net: net("192.0.2.1") },
        CounterKey::PortalSession { tenant: tenant(), session: NameHash::of(&hash) },
    ];
    for login_subject in subjects {
        written.extend([
            of(login_subject.clone()),
            CounterKey::AccountAddress {
                tenant: tenant(),
                subject: login_subject.clone(),
                net: net("2001:db8::1"),
            },
            CounterKey::Spelling {
                tenant: tenant(),
                subject: login_subject.clone(),
                name: NameHash::of(&hash),
            },
            CounterKey::Device {
                tenant: tenant(),
                subject: login_subject.clone(),
                device: DeviceId::new([1; 16]),
            },
            CounterKey::UnknownNetworks { tenant: tenant(), subject: login_subject.clone() },
            CounterKey::KnownNetwork {
                tenant: tenant(),
                subject: login_subject.clone(),
                net: net("2001:db8::1"),
            },
            CounterKey::Devices { tenant: tenant(), subject: login_subject },
        ]);
    }
    let texts: std::collections::BTreeSet<String> = written.iter().map(CounterKey::to_text).collect();
    assert_eq!(texts.len(), written.len(), "{texts:?}");
}
