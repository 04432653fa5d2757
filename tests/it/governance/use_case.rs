//! Setting, taking back, refusing: in force when the call returns, or not at all.

use doorward::{account::GovernError, domain::governance::connector_named, store::AuditPage};

use super::{NOW, alex, changes, id, patch, patch_for};
use crate::accounts::House;

#[test]
fn what_is_set_is_in_force_when_the_call_returns_and_after_a_restart() {
    let house = House::new("[account_lock]\nmax_attempts = 3\n");
    house.open(async |desk| {
        let before = desk.policy().await;
        let values = patch(&desk, &[("account.lock.handler.On.Failure.Max.Attempts", "9")]).await.unwrap();
        assert_eq!(
            (values.version(), values.get("account.lock.handler.On.Failure.Max.Attempts").as_str()),
            (1, "9")
        );
        let after = desk.policy().await;
        assert_eq!((before.rules.account_lock.max_attempts, after.rules.account_lock.max_attempts), (3, 9));
        assert!(after.generation > before.generation);
    });
    house.open(async |desk| {
        assert_eq!(desk.policy().await.rules.account_lock.max_attempts, 9);
        let connector = connector_named("account.lock.handler").unwrap();
        let names = ["account.lock.handler.On.Failure.Max.Attempts".to_owned()];
        let (tenant, governance) = (id("carbon.super"), desk.doors.governance());
        let taken_back = [(connector, names.to_vec())];
        let values = governance.revert(&tenant, &taken_back, Some(1), &alex(), NOW).await.unwrap();
        assert_eq!((values.version(), values.is_set(&names[0])), (2, false));
        assert_eq!(desk.policy().await.rules.account_lock.max_attempts, 3, "as the file says");
    });
}

#[test]
fn of_a_change_with_one_mistake_nothing_is_kept() {
    House::new("").open(async |desk| {
        let before = desk.policy().await;
        for bad in [
            [("passwordHistory.count", "7"), ("passwordPolicy.min.length", "many")],
            [("passwordHistory.count", "7"), ("passwordPolicy.pattern", "(")],
            [("passwordPolicy.min.length", "20"), ("passwordPolicy.max.length", "19")],
        ] {
            let refused = patch(&desk, &bad).await;
            assert!(matches!(refused, Err(GovernError::Refused(_))), "{bad:?}");
        }
        assert_eq!(desk.policy().await.generation, before.generation);
        assert_eq!(desk.doors.store().governance().all().await.unwrap(), []);
        assert_eq!(
            desk.doors.store().audit().list(None, AuditPage { before: None, limit: 9 }).await.unwrap(),
            []
        );
    });
}

#[test]
fn a_change_made_for_an_older_version_is_refused() {
    House::new("").open(async |desk| {
        patch_for(&desk, &[("passwordHistory.count", "7")], Some(0)).await.unwrap();
        let late = patch_for(&desk, &[("passwordHistory.count", "8")], Some(0)).await;
        assert!(matches!(late, Err(GovernError::Stale { version: 1 })));
        assert_eq!(desk.policy().await.rules.password_rules.history_count, 7);
    });
}

#[test]
fn a_tenant_has_its_own_settings_and_nobody_elses() {
    let house = House::new("")
        .tenant("acme.com", r#"{"account_lock": {"max_attempts": 4}}"#)
        .tenant("globex.com", "{}");
    house.open(async |desk| {
        let (acme, governance) = (id("acme.com"), desk.doors.governance());
        let change = changes(&[("account.lock.handler.On.Failure.Max.Attempts", "9")]);
        governance.patch(&acme, &change, None, &alex(), NOW).await.unwrap();
        for (tenant, attempts) in [("acme.com", 9), ("globex.com", 5), ("carbon.super", 5)] {
            assert_eq!(desk.policy_of(tenant).await.rules.account_lock.max_attempts, attempts, "{tenant}");
        }
        let nobody = governance.patch(&id("initech.com"), &change, None, &alex(), NOW).await;
        assert!(matches!(nobody, Err(GovernError::NoTenant)));
        let told =
            desk.doors.store().audit().list(Some(&acme), AuditPage { before: None, limit: 9 }).await.unwrap();
        let (record, who) = (&told[0], "alex@carbon.super");
        assert_eq!(
            (told.len(), record.actor.as_str(), record.before.as_deref(), record.after.as_deref()),
            (1, who, None, Some("9"))
        );
    });
}

/// The file's own word, a broken edit of it, and `deployment.toml` change nothing about what administrators have set.
#[test]
fn what_is_set_stays_when_files_are_edited() {
    let house = House::new("").tenant("acme.com", r#"{"account_lock": {"max_attempts": 4, "ratio": 6}}"#);
    house.open(async |desk| {
        let acme = id("acme.com");
        let change = changes(&[("account.lock.handler.On.Failure.Max.Attempts", "9")]);
        desk.doors.governance().patch(&acme, &change, None, &alex(), NOW).await.unwrap();
        let file = house.folder.path().join("tenants/acme.com/tenant-conf.json");
        for (text, ratio) in
            [(r#"{"Doorward": {"account_lock": {"max_attempts": 3, "ratio": 7}}}"#, 7), ("{", 7), ("{}", 2)]
        {
            std::fs::write(&file, text).unwrap();
            desk.flush();
            let policy = desk.policy_of("acme.com").await;
            assert_eq!(
                (policy.rules.account_lock.max_attempts, policy.rules.account_lock.ratio),
                (9, ratio),
                "{text}"
            );
            assert_eq!(policy.problem.is_some(), text == "{");
            // and with a broken file, too, the next change is in force at once
            let next = changes(&[("account.lock.handler.Time", "3")]);
            desk.doors.governance().patch(&acme, &next, None, &alex(), NOW).await.unwrap();
            assert_eq!(desk.policy_of("acme.com").await.rules.account_lock.time.as_secs(), 180);
            let back = changes(&[("account.lock.handler.Time", "5")]);
            desk.doors.governance().patch(&acme, &back, None, &alex(), NOW).await.unwrap();
        }
    });
}

/// Nothing is answered from before, however many ask meanwhile.
#[test]
fn no_look_up_after_the_change_finds_the_policy_from_before() {
    House::new("").open(async |desk| {
        for round in 1..=40_u32 {
            desk.flush();
            let count = round.to_string();
            let change = [("passwordHistory.count", count.as_str())];
            let (_, _, changed) = tokio::join!(desk.policy(), desk.policy(), patch(&desk, &change));
            changed.unwrap();
            assert_eq!(desk.policy().await.rules.password_rules.history_count, round);
        }
    });
}
