//! Setting, taking back, refusing: in force when the call returns, or not at all.

use doorward::internals::{
    domain::governance::connector_named, governance::GovernanceServiceError, store::AuditPage,
};

use super::{NOW, changes, id, patch, patch_for};
use crate::support::{actors::change_of, services::TestDeployment};

#[test]
fn change_is_in_force_at_return_and_after_restart() {
    let deployment = TestDeployment::new("[account_lock]\nmax_attempts = 3\n");
    deployment.run(async |services| {
        let before = services.policy().await;
        let values =
            patch(&services, &[("account.lock.handler.On.Failure.Max.Attempts", "9")]).await.unwrap();
        assert_eq!(
            (values.version(), values.get("account.lock.handler.On.Failure.Max.Attempts").as_str()),
            (1, "9")
        );
        let after = services.policy().await;
        assert_eq!((before.rules.account_lock.max_attempts, after.rules.account_lock.max_attempts), (3, 9));
        assert!(after.generation > before.generation);
    });
    deployment.run(async |services| {
        assert_eq!(services.policy().await.rules.account_lock.max_attempts, 9);
        let connector = connector_named("account.lock.handler").unwrap();
        let names = ["account.lock.handler.On.Failure.Max.Attempts".to_owned()];
        let (tenant, governance) = (id("carbon.super"), &services.accounts.governance);
        let taken_back = [(connector, names.to_vec())];
        let values = governance.revert(&change_of(&tenant, Some(1), NOW), &taken_back).await.unwrap();
        assert_eq!((values.version(), values.is_set(&names[0])), (2, false));
        assert_eq!(services.policy().await.rules.account_lock.max_attempts, 3, "as the file says");
    });
}

#[test]
fn rejects_whole_change_if_one_value_is_invalid() {
    TestDeployment::new("").run(async |services| {
        let before = services.policy().await;
        for bad in [
            [("passwordHistory.count", "7"), ("passwordPolicy.min.length", "many")],
            [("passwordHistory.count", "7"), ("passwordPolicy.pattern", "(")],
            [("passwordPolicy.min.length", "20"), ("passwordPolicy.max.length", "19")],
        ] {
            let refused = patch(&services, &bad).await;
            assert!(matches!(refused, Err(GovernanceServiceError::Refused(_))), "{bad:?}");
        }
        assert_eq!(services.policy().await.generation, before.generation);
        assert_eq!(services.accounts.store.governance().all().await.unwrap(), []);
        assert_eq!(
            services.accounts.store.audit().list(None, AuditPage { before: None, limit: 9 }).await.unwrap(),
            []
        );
    });
}

#[test]
fn rejects_a_change_for_an_older_version() {
    TestDeployment::new("").run(async |services| {
        patch_for(&services, &[("passwordHistory.count", "7")], Some(0)).await.unwrap();
        let late = patch_for(&services, &[("passwordHistory.count", "8")], Some(0)).await;
        assert!(matches!(late, Err(GovernanceServiceError::Stale { version: 1 })));
        assert_eq!(services.policy().await.rules.password_rules.history_count, 7);
    });
}

#[test]
fn settings_of_tenants_are_separate() {
    let deployment = TestDeployment::new("")
        .tenant("acme.com", r#"{"account_lock": {"max_attempts": 4}}"#)
        .tenant("globex.com", "{}");
    deployment.run(async |services| {
        let (acme, governance) = (id("acme.com"), &services.accounts.governance);
        let change = changes(&[("account.lock.handler.On.Failure.Max.Attempts", "9")]);
        governance.patch(&change_of(&acme, None, NOW), &change).await.unwrap();
        for (tenant, attempts) in [("acme.com", 9), ("globex.com", 5), ("carbon.super", 5)] {
            assert_eq!(
                services.policy_of(tenant).await.rules.account_lock.max_attempts,
                attempts,
                "{tenant}"
            );
        }
        let unknown = governance.patch(&change_of(&id("initech.com"), None, NOW), &change).await;
        assert!(matches!(unknown, Err(GovernanceServiceError::NoTenant)));
        let entries = services
            .accounts
            .store
            .audit()
            .list(Some(&acme), AuditPage { before: None, limit: 9 })
            .await
            .unwrap();
        let (record, subject) = (&entries[0], "alex@acme.com");
        assert_eq!(
            (entries.len(), record.actor.as_str(), record.before.as_deref(), record.after.as_deref()),
            (1, subject, None, Some("9"))
        );
    });
}

/// A value in the file, a broken edit of it, and `deployment.toml` do not change overrides.
#[test]
fn overrides_survive_file_edits() {
    let deployment =
        TestDeployment::new("").tenant("acme.com", r#"{"account_lock": {"max_attempts": 4, "ratio": 6}}"#);
    deployment.run(async |services| {
        let acme = id("acme.com");
        let change = changes(&[("account.lock.handler.On.Failure.Max.Attempts", "9")]);
        services.accounts.governance.patch(&change_of(&acme, None, NOW), &change).await.unwrap();
        let file = deployment.folder.path().join("tenants/acme.com/tenant-conf.json");
        for (text, ratio) in
            [(r#"{"Doorward": {"account_lock": {"max_attempts": 3, "ratio": 7}}}"#, 7), ("{", 7), ("{}", 2)]
        {
            std::fs::write(&file, text).unwrap();
            services.flush();
            let policy = services.policy_of("acme.com").await;
            assert_eq!(
                (policy.rules.account_lock.max_attempts, policy.rules.account_lock.ratio),
                (9, ratio),
                "{text}"
            );
            assert_eq!(policy.problem.is_some(), text == "{");
            // and with a broken file, too, the next change is in force at once
            let next = changes(&[("account.lock.handler.Time", "3")]);
            services.accounts.governance.patch(&change_of(&acme, None, NOW), &next).await.unwrap();
            assert_eq!(services.policy_of("acme.com").await.rules.account_lock.time.as_secs(), 180);
            let back = changes(&[("account.lock.handler.Time", "5")]);
            services.accounts.governance.patch(&change_of(&acme, None, NOW), &back).await.unwrap();
        }
    });
}

/// Nothing is answered from before, however many ask meanwhile.
#[test]
fn lookups_after_a_change_see_the_new_policy() {
    TestDeployment::new("").run(async |services| {
        for round in 1..=40_u32 {
            services.flush();
            let count = round.to_string();
            let change = [("passwordHistory.count", count.as_str())];
            let (_, _, changed) =
                tokio::join!(services.policy(), services.policy(), patch(&services, &change));
            changed.unwrap();
            assert_eq!(services.policy().await.rules.password_rules.history_count, round);
        }
    });
}
