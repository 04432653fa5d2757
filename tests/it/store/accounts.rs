//! Accounts in the store: unique names and addresses, and changes by administrators.

use doorward::internals::{
    domain::{
        account::{AdminLock, LockedReason, LoginAttribute, LoginAttributes, LoginName, UserProfile},
        tenant::TenantId,
    },
    store::{AccountPage, CreateError, Store, StoredAccount},
};

use super::{NOW, account_by_login, acme, alex, count_accounts, globex, ms, new_account};
use crate::support::database::{Database, on_both_databases};

on_both_databases!(
    account_fields_are_stored,
    same_name_in_two_tenants_is_two_accounts,
    account_is_found_by_name_or_email,
    names_and_emails_are_unique_within_a_tenant,
    a_name_of_another_user_store_is_another_name,
    concurrent_creation_of_a_name_succeeds_once,
    crosswise_name_and_email_creation_does_not_deadlock,
    locks_and_flags_stay_until_cleared,
    account_list_is_paged,
    account_list_is_filtered_by_text,
    bulk_creation_reports_each_failure,
    concurrent_bulk_creations_create_each_name_once,
    attack_sql_injection_in_names_and_profiles,
    login_attributes_of_the_tenant_limit_lookup,
    shared_mobile_number_matches_no_account,
);

async fn account_fields_are_stored(database: Database) {
    let store = database.open().await;
    let mut new = new_account(acme(), " Zoë ");
    new.disabled = true;
    new.must_change_password = true;
    new.admin_lock = Some(AdminLock { reason: LockedReason::PendingAskPassword, since: NOW - ms(1) });
    new.profile = UserProfile {
        email: Some("Zoe@Example.org".to_owned()),
        mobile: Some("+49 30 1234".to_owned()),
        given_name: Some("Zoë".to_owned()),
        family_name: None,
        roles: vec!["Internal/subscriber".to_owned(), "\"quoted\"".to_owned()],
        claims: [("http://wso2.org/claims/country".to_owned(), "DE".to_owned())].into(),
    };
    let made = store.accounts().create(&new, NOW).await.unwrap();
    assert_eq!((made.id.clone(), made.tenant.clone()), (new.id, acme()));
    assert_eq!((made.user_store.as_str(), made.username.as_str()), ("PRIMARY", "Zoë"));
    assert_eq!((made.disabled, made.must_change_password, made.admin_lock), (true, true, new.admin_lock));
    assert_eq!((made.created_at, made.password_changed_at, made.last_login_at), (NOW, NOW, None));
    let profile = UserProfile {
        email: made.email.clone(),
        mobile: made.mobile.clone(),
        given_name: made.given_name.clone(),
        family_name: made.family_name.clone(),
        roles: made.roles.clone(),
        claims: made.claims.clone(),
    };
    assert_eq!(profile, new.profile);
    let found = database.open().await.accounts().find_with_password(&made.id).await.unwrap().unwrap();
    assert_eq!(found, StoredAccount { account: made, password: new.password });
}

async fn same_name_in_two_tenants_is_two_accounts(database: Database) {
    let store = database.open().await;
    let ours = alex(&store).await;
    let theirs = store.accounts().create(&new_account(globex(), "alex"), NOW).await.unwrap();
    assert_eq!(account_by_login(&store, "alex").await, Some(ours.id.clone()));
    assert_eq!(account_by_login(&store, "alex@acme.com").await, Some(ours.id));
    assert_eq!(account_by_login(&store, "alex@globex.com").await, Some(theirs.id));
    // an unknown tenant name is the domain of an e-mail address
    assert_eq!(account_by_login(&store, "alex@umbrella.com").await, None);
}

async fn account_is_found_by_name_or_email(database: Database) {
    let store = database.open().await;
    let mut new = new_account(acme(), "Alexandra");
    new.profile.email = Some("Alex@acme.com".to_owned());
    let alexandra = store.accounts().create(&new, NOW).await.unwrap().id;
    for typed in ["alexandra", " ALEXANDRA", "primary/alexandra", "alexandra@acme.com", "alex@ACME.com"] {
        assert_eq!(account_by_login(&store, typed).await, Some(alexandra.clone()), "{typed}");
    }
    // an e-mail address identifies its owner, also when another account's name and tenant read the same
    let alex = alex(&store).await.id;
    assert_eq!(account_by_login(&store, "alex@acme.com").await, Some(alexandra));
    assert_eq!(account_by_login(&store, "alex").await, Some(alex));
    for typed in ["alexandr", "LDAP/alexandra", "alexandra@globex.com", "alex_ndra", "%"] {
        assert_eq!(account_by_login(&store, typed).await, None, "{typed}");
    }
}

async fn names_and_emails_are_unique_within_a_tenant(database: Database) {
    let store = database.open().await;
    let mut first = new_account(acme(), "alex");
    first.profile.email = Some("alex@example.org".to_owned());
    store.accounts().create(&first, NOW).await.unwrap();
    let with = |name: &str, email: Option<&str>| {
        let mut new = new_account(acme(), name);
        new.profile.email = email.map(str::to_owned);
        new
    };
    for taken in [with("ALEX", None), with("ａｌｅｘ", None), with("alex@example.org", None)] {
        let error = store.accounts().create(&taken, NOW).await.unwrap_err();
        assert!(matches!(error, CreateError::NameTaken), "{error}");
    }
    let error = store.accounts().create(&with("bo", Some("Alex@Example.ORG")), NOW).await.unwrap_err();
    assert!(matches!(error, CreateError::EmailTaken), "{error}");
    assert_eq!(count_accounts(&store).await, 1, "a refused account leaves nothing");
    // a name may equal the account's own address, or an address in another tenant
    store.accounts().create(&with("bo@example.org", Some("bo@example.org")), NOW).await.unwrap();
    let mut elsewhere = new_account(globex(), "alex");
    elsewhere.profile.email = Some("alex@example.org".to_owned());
    store.accounts().create(&elsewhere, NOW).await.unwrap();
    for name in ["", "a/b", "a\u{200b}b"] {
        let error = store.accounts().create(&with(name, None), NOW).await.unwrap_err();
        assert!(matches!(error, CreateError::BadName(_)), "{name:?}: {error}");
    }
    let error = store.accounts().create(&with("cy", Some("no-address")), NOW).await.unwrap_err();
    assert!(matches!(error, CreateError::BadProfile(_)), "{error}");
}

async fn a_name_of_another_user_store_is_another_name(database: Database) {
    let store = database.open().await;
    let primary = alex(&store).await.id;
    let mut new = new_account(acme(), "alex");
    new.user_store = String::from("ldap");
    let ldap = store.accounts().create(&new, NOW).await.unwrap();
    assert_eq!(ldap.user_store, "LDAP");
    assert_eq!(account_by_login(&store, "alex").await, Some(primary));
    assert_eq!(account_by_login(&store, "Ldap/alex").await, Some(ldap.id));
}

async fn concurrent_creation_of_a_name_succeeds_once(database: Database) {
    let (one, other) = (database.open().await, database.open().await);
    let tasks: Vec<_> = (0..24)
        .map(|index| {
            let store = if index % 2 == 0 { one.clone() } else { other.clone() };
            let mut new = new_account(acme(), "alex");
            new.profile.email = Some("alex@example.org".to_owned());
            tokio::spawn(async move { store.accounts().create(&new, NOW).await })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(CreateError::NameTaken) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(count_accounts(&one).await, 1);
}

async fn crosswise_name_and_email_creation_does_not_deadlock(database: Database) {
    let stores = [database.open().await, database.open().await];
    for round in 0..20 {
        let names = [format!("a{round}@example.org"), format!("b{round}@example.org")];
        let want = |own: usize| {
            let mut new = new_account(acme(), &names[own]);
            new.profile.email = Some(names[1 - own].clone());
            let store = stores[own].clone();
            tokio::spawn(async move { store.accounts().create(&new, NOW).await })
        };
        let (one, other) = (want(0), want(1));
        let results = [one.await.unwrap(), other.await.unwrap()];
        let made = results.iter().filter(|result| result.is_ok()).count();
        let refused = results.iter().filter(|result| matches!(result, Err(CreateError::NameTaken))).count();
        assert_eq!((made, refused), (1, 1), "{results:?}");
    }
}

async fn locks_and_flags_stay_until_cleared(database: Database) {
    let store = database.open().await;
    let id = alex(&store).await.id;
    let lock = AdminLock { reason: LockedReason::AdminInitiated, since: NOW + ms(5) };
    assert!(store.accounts().set_admin_lock(&id, Some(lock), NOW).await.unwrap());
    assert!(store.accounts().set_disabled(&id, true, NOW).await.unwrap());
    assert!(store.accounts().record_login(&id, NOW + ms(9)).await.unwrap());
    let found = database.open().await.accounts().find(&id).await.unwrap().unwrap();
    assert_eq!((found.admin_lock, found.disabled), (Some(lock), true));
    assert_eq!(found.last_login_at, Some(NOW + ms(9)));
    store.accounts().set_admin_lock(&id, None, NOW).await.unwrap();
    store.accounts().set_disabled(&id, false, NOW).await.unwrap();
    let found = store.accounts().find(&id).await.unwrap().unwrap();
    assert_eq!((found.admin_lock, found.disabled), (None, false));

    let unknown = new_account(acme(), "no-such-user").id;
    assert!(!store.accounts().set_disabled(&unknown, true, NOW).await.unwrap());
    assert!(!store.accounts().record_login(&unknown, NOW).await.unwrap());
}

async fn account_list_is_paged(database: Database) {
    let store = database.open().await;
    for name in ["cy", "Alex", "bo", "eve", "dan"] {
        store.accounts().create(&new_account(acme(), name), NOW).await.unwrap();
    }
    store.accounts().create(&new_account(globex(), "zed"), NOW).await.unwrap();
    let mut names = Vec::new();
    let mut page = AccountPage::first(2);
    loop {
        let part = store.accounts().list(&acme(), &page).await.unwrap();
        assert!(part.len() <= 2);
        names.extend(part.iter().map(|account| account.username.clone()));
        let Some(last) = part.last() else { break };
        page = AccountPage::first(2).after(&last.user_store, &last.username);
    }
    assert_eq!(names, ["Alex", "bo", "cy", "dan", "eve"]);
    assert_eq!(count_accounts(&store).await, 5);
}

async fn account_list_is_filtered_by_text(database: Database) {
    let store = database.open().await;
    for (name, email) in [("Alex", Some("a_b@example.org")), ("kim", Some("KIM@Example.org")), ("pat", None)]
    {
        add_account(&store, acme(), name, email, "").await;
    }
    add_account(&store, globex(), "alexandra", None, "").await;
    for (text, found) in [
        ("ALE", &["Alex"][..]),
        ("example", &["Alex", "kim"]),
        ("kim@example", &["kim"]),
        ("_", &["Alex"]),
        ("%", &[]),
        ("'; DROP TABLE accounts; --", &[]),
    ] {
        let page = AccountPage::first(10).containing(Some(text));
        let listed = store.accounts().list(&acme(), &page).await.unwrap();
        let names: Vec<_> = listed.iter().map(|account| account.username.as_str()).collect();
        assert_eq!(names, found, "{text}");
    }
}

async fn bulk_creation_reports_each_failure(database: Database) {
    let store = database.open().await;
    add_account(&store, acme(), "there", Some("there@example.org"), "").await;
    let new = |name: &str, email: Option<&str>| {
        let mut new = new_account(acme(), name);
        new.profile.email = email.map(str::to_owned);
        new
    };
    let many = [
        new("alex", Some("alex@example.org")),
        new("There", None),
        new("kim", Some("there@example.org")),
        new("ALEX", None),
        new("sam", Some("alex@example.org")),
        new("pat@example.org", Some("pat@example.org")),
        new("", None),
        new("last", None),
    ];
    let outcomes = store.accounts().create_many(&acme(), &many, NOW).await.unwrap();
    let outcomes: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(()) => "created",
            Err(CreateError::NameTaken) => "name",
            Err(CreateError::EmailTaken) => "e-mail",
            Err(_) => "bad",
        })
        .collect();
    assert_eq!(outcomes, ["created", "name", "e-mail", "name", "e-mail", "created", "bad", "created"]);
    let listed = store.accounts().list(&acme(), &AccountPage::first(10)).await.unwrap();
    let names: Vec<_> = listed.iter().map(|account| account.username.as_str()).collect();
    assert_eq!(names, ["alex", "last", "pat@example.org", "there"]);
    assert_eq!(store.accounts().create_many(&acme(), &[], NOW).await.unwrap().len(), 0);
}

async fn concurrent_bulk_creations_create_each_name_once(database: Database) {
    let store = database.open().await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            let many: Vec<_> = (0..50).map(|n| new_account(acme(), &format!("user{n:02}"))).collect();
            tokio::spawn(async move { store.accounts().create_many(&acme(), &many, NOW).await })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        let outcomes = task.await.unwrap().unwrap();
        created += outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    }
    assert_eq!((created, count_accounts(&store).await), (50, 50));
}

async fn attack_sql_injection_in_names_and_profiles(database: Database) {
    let store = database.open().await;
    let hostile = "x'); DROP TABLE accounts; --";
    let mut new = new_account(acme(), hostile);
    new.profile.given_name = Some("$1 ? \\' \" '' {}".to_owned());
    new.profile.roles = vec![hostile.to_owned()];
    let made = store.accounts().create(&new, NOW).await.unwrap();
    assert_eq!((made.username.as_str(), made.given_name), (hostile, new.profile.given_name));
    assert_eq!(account_by_login(&store, hostile).await, Some(made.id));
    assert_eq!(account_by_login(&store, "' OR '1'='1").await, None);
}

/// The account that a login identifies at acme.com, with these login attributes.
async fn found_by_attributes(store: &Store, typed: &str, listed: &[LoginAttribute]) -> Option<String> {
    let name = LoginName::parse(typed, &acme(), |tenant| *tenant == globex()).unwrap();
    let allowed = |_: &TenantId| LoginAttributes { multi_attribute: true, attributes: listed.into() };
    store.accounts().by_login(&name, allowed).await.unwrap().map(|found| found.account.username)
}

async fn add_account(store: &Store, tenant: TenantId, username: &str, email: Option<&str>, mobile: &str) {
    let mut new = new_account(tenant, username);
    new.profile.email = email.map(str::to_owned);
    new.profile.mobile = Some(mobile.to_owned());
    store.accounts().create(&new, NOW).await.unwrap();
}

async fn login_attributes_of_the_tenant_limit_lookup(database: Database) {
    use LoginAttribute::{Email, Mobile, Username};
    let store = database.open().await;
    add_account(&store, acme(), "alex", Some("alex@mail.example"), "+49 (30) 12-34.5").await;
    // whose user name is an address, too
    add_account(&store, acme(), "bea@mail.example", Some("bea@mail.example"), "030/777777").await;
    add_account(&store, globex(), "alex", Some("alex@globex.example"), "+4930999").await;
    for (typed, listed, subject) in [
        ("alex", &[Username][..], Some("alex")),
        ("alex", &[Email, Mobile], None),
        ("Alex@Mail.Example", &[Email], Some("alex")),
        ("alex@mail.example", &[Username, Mobile], None),
        ("+49301234 5", &[Mobile], Some("alex")),
        ("+49301234 5", &[Username, Email], None),
        ("+49-30-12345@acme.com", &[Mobile], Some("alex")),
        ("030 777777", &[Mobile], Some("bea@mail.example")),
        ("bea@mail.example", &[Username], Some("bea@mail.example")),
        ("bea@mail.example", &[Email], Some("bea@mail.example")),
        ("bea@mail.example", &[Mobile], None),
        // of another tenant, signing in at acme.com
        ("+4930999", &[Username, Mobile], None),
        ("+4930999@globex.com", &[Username, Mobile], Some("alex")),
        ("%", &[Username, Mobile], None),
    ] {
        assert_eq!(
            found_by_attributes(&store, typed, listed).await.as_deref(),
            subject,
            "{typed} by {listed:?}"
        );
    }
}

async fn shared_mobile_number_matches_no_account(database: Database) {
    use LoginAttribute::{Mobile, Username};
    let store = database.open().await;
    add_account(&store, acme(), "alex", None, "5550000").await;
    assert_eq!(found_by_attributes(&store, "555-0000", &[Username, Mobile]).await.as_deref(), Some("alex"));
    add_account(&store, acme(), "bea", None, "555 0000").await;
    assert_eq!(found_by_attributes(&store, "555-0000", &[Username, Mobile]).await, None);
    // and a user name goes before a number
    add_account(&store, acme(), "5550000", None, "1").await;
    assert_eq!(found_by_attributes(&store, "5550000", &[Username, Mobile]).await.as_deref(), Some("5550000"));
}
