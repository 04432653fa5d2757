//! Guesses at the passwords of administrators: counted, bounded, and no way to lock an administrator out.

use serde_json::json;

use super::access::OF_ACME;
use crate::support::management::{ManagementFixture, PASSWORD, TENANT_CONFIG};

#[test]
fn attack_brute_force_over_basic_is_counted_by_the_lockout() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy.setting("account_lock.enabled", true).setting("account_lock.max_attempts", 3)
    });
    let ask = |password: &str| fixture.ask("GET", OF_ACME).basic("admin@acme.com", password).send().status;
    for attempt in 0..3 {
        assert_eq!(ask(&format!("guess-{attempt}")), 401);
    }
    assert_eq!(ask(PASSWORD), 401, "locked at this address");
    // the sign-in page and the API have counters of their own: neither is a means to keep an administrator out of the other
    let mut browser = fixture.proxy.browser();
    browser.sign_in("acme.com", "admin", PASSWORD);
    assert!(browser.is_signed_in());
    assert_eq!(ask(PASSWORD), 401, "signing in there unlocks nothing here");
    for _ in 0..3 {
        fixture.proxy.browser().sign_in("beta.com", "admin", "wrong");
    }
    let beta = "/t/beta.com/api/am/admin/v4/tenant-config";
    assert_eq!(fixture.ask("GET", beta).basic("admin@beta.com", PASSWORD).send().status, 200);
}

#[test]
fn attack_brute_force_in_parallel_has_no_more_guesses() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy.setting("account_lock.enabled", true).setting("account_lock.max_attempts", 3)
    });
    std::thread::scope(|scope| {
        for attempt in 0..20 {
            let fixture = &fixture;
            scope.spawn(move || {
                let ask = fixture.ask("GET", OF_ACME).basic("admin@acme.com", &format!("guess-{attempt}"));
                assert_eq!(ask.send().status, 401);
            });
        }
    });
    assert_eq!(fixture.get_as("admin@acme.com", OF_ACME).status, 401);
}

/// Attack: a tenant's administrator names a "sign-in" of the portal's that always works, and gives it another tenant's name
/// between two guesses.
#[test]
fn attack_tenant_guard_resets_admin_counter_of_another_tenant() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy.setting("account_lock.enabled", true).setting("account_lock.max_attempts", 3)
    });
    let guards = json!([{"match": "/commonauth", "user_in": "json", "succeeded_status": [200, 404]}]);
    let conf = json!({"EnableAnonymous": true, "Doorward": {"guards": guards}});
    let answer = fixture.send_as("admin@acme.com", "PUT", OF_ACME, &conf);
    assert_eq!(answer.status, 200, "{}", answer.text());
    for attempt in 0..6 {
        let password = format!("guess-{attempt}");
        assert_eq!(
            fixture.ask("GET", TENANT_CONFIG).basic("admin@carbon.super", &password).send().status,
            401
        );
        let forgive = fixture.proxy.post("/commonauth").tenant("acme.com").api_client();
        let answer = forgive.json(&json!({"username": "admin@carbon.super", "password": "x"})).send();
        assert_eq!(answer.status, 200, "{attempt}");
    }
    assert_eq!(fixture.get(TENANT_CONFIG).status, 401, "locked after three guesses");
}

/// Five wrong passwords are enough where the name alone is counted.
#[test]
fn attack_anonymous_client_locks_an_administrator_out() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy
            .setting("account_lock.enabled", true)
            .setting("account_lock.max_attempts", 3)
            .trusting("127.0.0.0/8")
            .setting("management.public", true)
    });
    let ask = |from: &str, password: &str| {
        let ask = fixture.ask("GET", TENANT_CONFIG).basic("admin@carbon.super", password);
        ask.header("x-forwarded-for", from).header("x-forwarded-proto", "https").send().status
    };
    for _ in 0..5 {
        assert_eq!(ask("192.0.2.66", "wrong"), 401);
    }
    assert_eq!(ask("192.0.2.66", PASSWORD), 401, "guessing is bounded at that address");
    assert_eq!(ask("2001:db8::7", PASSWORD), 200, "the administrator sits elsewhere");
    // nor at the sign-in page
    let mut anonymous = fixture.proxy.browser();
    for _ in 0..5 {
        anonymous.sign_in("carbon.super", "admin", "wrong");
    }
    assert_eq!(ask("2001:db8::7", PASSWORD), 200);
    // unlocking the account opens it from there as well
    assert_eq!(ask("192.0.2.66", PASSWORD), 401);
}

/// Attack: each address has its own counter, so a client with many addresses would have as many guesses.
#[test]
fn attack_administrator_guessed_from_many_addresses() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy
            .setting("account_lock.enabled", true)
            .setting("account_lock.max_attempts", 2)
            .trusting("127.0.0.0/8")
            .setting("management.public", true)
    });
    let ask = |name: &str, from: &str, password: &str| {
        let ask = fixture.ask("GET", TENANT_CONFIG).basic(name, password);
        ask.header("x-forwarded-for", from).header("x-forwarded-proto", "https").send().status
    };
    let (admin, known) = ("admin@carbon.super", "2001:db8::7");
    assert_eq!(ask(admin, known, PASSWORD), 200);
    for turn in 0..20 {
        assert_eq!(ask(admin, &format!("203.0.113.{turn}"), "wrong"), 401);
        assert_eq!(ask("no-such-user@carbon.super", &format!("203.0.113.{turn}"), "wrong"), 401);
    }
    for from in ["198.51.100.1", "2001:db8:1::1", "203.0.113.1"] {
        assert_eq!(ask(admin, from, PASSWORD), 401, "guesses from unknown networks are bounded: {from}");
    }
    assert_eq!(ask(admin, known, PASSWORD), 200, "the administrator's own network");
    // which has a limit of its own
    for _ in 0..2 {
        assert_eq!(ask(admin, known, "wrong"), 401);
    }
    assert_eq!(ask(admin, known, PASSWORD), 401);
    assert_ne!(ask("admin@acme.com", "198.51.100.1", PASSWORD), 401, "other accounts");
}

/// Attack: the role that is never locked would leave an administrator's password without any bound.
#[test]
fn attack_administrator_who_is_never_locked_guessed_without_end() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy
            .setting("account_lock.enabled", true)
            .setting("account_lock.max_attempts", 2)
            .trusting("127.0.0.0/8")
            .setting("management.public", true)
    });
    fixture.accounts.add_at(
        doorward::internals::clock::Clock::system().now(),
        "carbon.super",
        "system",
        PASSWORD,
        |account| {
            account.profile.roles = vec!["admin".to_owned(), "Internal/system".to_owned()];
        },
    );
    let ask = |from: &str, password: &str| {
        let ask = fixture.ask("GET", TENANT_CONFIG).basic("system@carbon.super", password);
        ask.header("x-forwarded-for", from).header("x-forwarded-proto", "https").send().status
    };
    let (known, other) = ("2001:db8::7", "2001:db8:0:1::7");
    assert_eq!([known, other].map(|from| ask(from, PASSWORD)), [200, 200]);
    // one network
    for _ in 0..2 {
        assert_eq!(ask(other, "wrong"), 401);
    }
    assert_eq!(ask(other, PASSWORD), 401);
    // all unknown networks together
    for turn in 0..20 {
        assert_eq!(ask(&format!("203.0.113.{turn}"), "wrong"), 401);
    }
    for from in ["198.51.100.1", "2001:db8:1::1"] {
        assert_eq!(ask(from, PASSWORD), 401, "{from}");
    }
    assert_eq!(ask(known, PASSWORD), 200, "a known network");
}
