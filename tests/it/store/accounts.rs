//! Accounts: whose name is whose, and what an administrator may change.

use doorward::{
    domain::{
        account::{AdminLock, LockedReason, LoginAttribute, LoginAttributes, LoginName, Profile},
        tenant::TenantId,
    },
    store::{CreateError, Page, Store, UpdateError},
};

use super::{NOW, acme, alex, globex, new_account, whoever_types};
use crate::support::database::{Database, on_both_databases};

on_both_databases!(
    what_is_known_of_an_account_is_kept,
    the_same_name_in_two_tenants_is_two_people,
    whoever_signs_in_may_type_a_name_or_an_address,
    a_name_or_an_address_belongs_to_one_person_of_a_tenant,
    a_name_of_another_user_store_is_another_name,
    of_many_who_want_a_name_at_once_one_gets_it,
    two_who_want_each_others_name_and_address_do_not_wait_for_ever,
    a_profile_is_replaced_whole,
    locks_and_flags_stay_until_taken_back,
    who_is_deleted_leaves_nothing,
    a_list_comes_in_pages,
    a_list_has_the_accounts_that_contain_a_text,
    many_are_created_at_once_and_each_that_cannot_be_says_why,
    many_who_want_the_same_names_at_once_get_each_once,
    attack_sql_in_names_and_profiles_is_text,
    people_are_found_by_what_their_tenant_allows,
    a_mobile_number_that_two_have_is_nobodys,
);

async fn what_is_known_of_an_account_is_kept(database: Database) {
    let store = database.open().await;
    let mut new = new_account(acme(), " Zoë ");
    new.disabled = true;
    new.must_change_password = true;
    new.admin_lock = Some(AdminLock { reason: LockedReason::PendingAskPassword, since: NOW - 1 });
    new.profile = Profile {
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
    let profile = Profile {
        email: made.email.clone(),
        mobile: made.mobile.clone(),
        given_name: made.given_name.clone(),
        family_name: made.family_name.clone(),
        roles: made.roles.clone(),
        claims: made.claims.clone(),
    };
    assert_eq!(profile, new.profile);
    let (found, password) =
        database.open().await.accounts().find_with_password(&made.id).await.unwrap().unwrap();
    assert_eq!(found, made);
    assert_eq!(password, new.password);
}

async fn the_same_name_in_two_tenants_is_two_people(database: Database) {
    let store = database.open().await;
    let ours = alex(&store).await;
    let theirs = store.accounts().create(&new_account(globex(), "alex"), NOW).await.unwrap();
    assert_eq!(whoever_types(&store, "alex").await, Some(ours.id.clone()));
    assert_eq!(whoever_types(&store, "alex@acme.com").await, Some(ours.id));
    assert_eq!(whoever_types(&store, "alex@globex.com").await, Some(theirs.id));
    // a tenant nobody knows is the end of an e-mail address
    assert_eq!(whoever_types(&store, "alex@umbrella.com").await, None);
}

async fn whoever_signs_in_may_type_a_name_or_an_address(database: Database) {
    let store = database.open().await;
    let mut new = new_account(acme(), "Alexandra");
    new.profile.email = Some("Alex@acme.com".to_owned());
    let alexandra = store.accounts().create(&new, NOW).await.unwrap().id;
    for typed in ["alexandra", " ALEXANDRA", "primary/alexandra", "alexandra@acme.com", "alex@ACME.com"] {
        assert_eq!(whoever_types(&store, typed).await, Some(alexandra.clone()), "{typed}");
    }
    // her address means her, also when somebody's name and tenant read the same
    let alex = alex(&store).await.id;
    assert_eq!(whoever_types(&store, "alex@acme.com").await, Some(alexandra));
    assert_eq!(whoever_types(&store, "alex").await, Some(alex));
    for typed in ["alexandr", "LDAP/alexandra", "alexandra@globex.com", "alex_ndra", "%"] {
        assert_eq!(whoever_types(&store, typed).await, None, "{typed}");
    }
}

async fn a_name_or_an_address_belongs_to_one_person_of_a_tenant(database: Database) {
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
    assert_eq!(store.accounts().count(&acme()).await.unwrap(), 1, "a refused account leaves nothing");
    // nobody minds a name that is one's own address, nor the address in another tenant
    store.accounts().create(&with("bo@example.org", Some("bo@example.org")), NOW).await.unwrap();
    let mut elsewhere = new_account(globex(), "alex");
    elsewhere.profile.email = Some("alex@example.org".to_owned());
    store.accounts().create(&elsewhere, NOW).await.unwrap();
    for name in ["", "a/b", "a\u{200b}b"] {
        let error = store.accounts().create(&with(name, None), NOW).await.unwrap_err();
        assert!(matches!(error, CreateError::BadName(_)), "{name:?}: {error}");
    }
    let error = store.accounts().create(&with("cy", Some("nobody")), NOW).await.unwrap_err();
    assert!(matches!(error, CreateError::BadProfile(_)), "{error}");
}

async fn a_name_of_another_user_store_is_another_name(database: Database) {
    let store = database.open().await;
    let primary = alex(&store).await.id;
    let mut new = new_account(acme(), "alex");
    new.user_store = String::from("ldap");
    let ldap = store.accounts().create(&new, NOW).await.unwrap();
    assert_eq!(ldap.user_store, "LDAP");
    assert_eq!(whoever_types(&store, "alex").await, Some(primary));
    assert_eq!(whoever_types(&store, "Ldap/alex").await, Some(ldap.id));
}

async fn of_many_who_want_a_name_at_once_one_gets_it(database: Database) {
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
    assert_eq!(one.accounts().count(&acme()).await.unwrap(), 1);
}

async fn two_who_want_each_others_name_and_address_do_not_wait_for_ever(database: Database) {
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

async fn a_profile_is_replaced_whole(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let mut other = new_account(acme(), "bo");
    other.profile.email = Some("bo@example.org".to_owned());
    store.accounts().create(&other, NOW).await.unwrap();

    let with_email = |email: &str| Profile { email: Some(email.to_owned()), ..Profile::default() };
    let mut profile = with_email("alex@example.org");
    profile.roles = vec!["admin".to_owned()];
    store.accounts().update_profile(&account.id, &profile, NOW).await.unwrap();
    let found = store.accounts().find(&account.id).await.unwrap().unwrap();
    assert_eq!((found.email.as_deref(), &found.roles), (Some("alex@example.org"), &profile.roles));
    assert_eq!(whoever_types(&store, "alex@example.org").await, Some(account.id.clone()));

    store.accounts().update_profile(&account.id, &with_email("a@example.org"), NOW).await.unwrap();
    assert_eq!(whoever_types(&store, "alex@example.org").await, None, "an address given up is free");
    let taken = store.accounts().update_profile(&account.id, &with_email("bo@example.org"), NOW).await;
    assert!(matches!(taken, Err(UpdateError::EmailTaken)), "{taken:?}");
    assert_eq!(
        whoever_types(&store, "a@example.org").await,
        Some(account.id.clone()),
        "and nothing was changed"
    );
    assert_eq!(whoever_types(&store, "alex").await, Some(account.id));

    let nobody = new_account(acme(), "nobody").id;
    let missing = store.accounts().update_profile(&nobody, &Profile::default(), NOW).await;
    assert!(matches!(missing, Err(UpdateError::Missing)), "{missing:?}");
}

async fn locks_and_flags_stay_until_taken_back(database: Database) {
    let store = database.open().await;
    let id = alex(&store).await.id;
    let lock = AdminLock { reason: LockedReason::AdminInitiated, since: NOW + 5 };
    assert!(store.accounts().set_admin_lock(&id, Some(lock), NOW).await.unwrap());
    assert!(store.accounts().set_disabled(&id, true, NOW).await.unwrap());
    assert!(store.accounts().set_must_change_password(&id, true, NOW).await.unwrap());
    assert!(store.accounts().record_login(&id, NOW + 9).await.unwrap());
    let found = database.open().await.accounts().find(&id).await.unwrap().unwrap();
    assert_eq!((found.admin_lock, found.disabled, found.must_change_password), (Some(lock), true, true));
    assert_eq!(found.last_login_at, Some(NOW + 9));
    store.accounts().set_admin_lock(&id, None, NOW).await.unwrap();
    store.accounts().set_disabled(&id, false, NOW).await.unwrap();
    let found = store.accounts().find(&id).await.unwrap().unwrap();
    assert_eq!((found.admin_lock, found.disabled), (None, false));

    let nobody = new_account(acme(), "nobody").id;
    assert!(!store.accounts().set_disabled(&nobody, true, NOW).await.unwrap());
    assert!(!store.accounts().record_login(&nobody, NOW).await.unwrap());
}

async fn who_is_deleted_leaves_nothing(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let session = super::session_of(&store, &account).await;
    assert!(store.accounts().delete(&account.id, NOW).await.unwrap());
    assert!(!store.accounts().delete(&account.id, NOW).await.unwrap());
    assert_eq!(store.accounts().find(&account.id).await.unwrap(), None);
    assert_eq!(whoever_types(&store, "alex").await, None);
    assert_eq!(store.sessions().find(&session.hash).await.unwrap(), None);
    assert!(
        !store
            .sessions()
            .insert(&super::new_session(&account), account.password_changed_at, true)
            .await
            .unwrap()
    );
    alex(&store).await;
}

async fn a_list_comes_in_pages(database: Database) {
    let store = database.open().await;
    for name in ["cy", "Alex", "bo", "eve", "dan"] {
        store.accounts().create(&new_account(acme(), name), NOW).await.unwrap();
    }
    store.accounts().create(&new_account(globex(), "zed"), NOW).await.unwrap();
    let mut names = Vec::new();
    let mut page = Page::first(2);
    loop {
        let part = store.accounts().list(&acme(), &page).await.unwrap();
        assert!(part.len() <= 2);
        names.extend(part.iter().map(|account| account.username.clone()));
        let Some(last) = part.last() else { break };
        page = Page::first(2).after(&last.user_store, &last.username);
    }
    assert_eq!(names, ["Alex", "bo", "cy", "dan", "eve"]);
    assert_eq!(store.accounts().count(&acme()).await.unwrap(), 5);
}

async fn a_list_has_the_accounts_that_contain_a_text(database: Database) {
    let store = database.open().await;
    for (name, email) in [("Alex", Some("a_b@example.org")), ("kim", Some("KIM@Example.org")), ("pat", None)]
    {
        person(&store, acme(), name, email, "").await;
    }
    person(&store, globex(), "alexandra", None, "").await;
    for (text, found) in [
        ("ALE", &["Alex"][..]),
        ("example", &["Alex", "kim"]),
        ("kim@example", &["kim"]),
        ("_", &["Alex"]),
        ("%", &[]),
        ("'; DROP TABLE accounts; --", &[]),
    ] {
        let page = Page::first(10).containing(Some(text));
        let listed = store.accounts().list(&acme(), &page).await.unwrap();
        let names: Vec<_> = listed.iter().map(|account| account.username.as_str()).collect();
        assert_eq!(names, found, "{text}");
    }
}

async fn many_are_created_at_once_and_each_that_cannot_be_says_why(database: Database) {
    let store = database.open().await;
    person(&store, acme(), "there", Some("there@example.org"), "").await;
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
    let listed = store.accounts().list(&acme(), &Page::first(10)).await.unwrap();
    let names: Vec<_> = listed.iter().map(|account| account.username.as_str()).collect();
    assert_eq!(names, ["alex", "last", "pat@example.org", "there"]);
    assert_eq!(store.accounts().create_many(&acme(), &[], NOW).await.unwrap().len(), 0);
}

async fn many_who_want_the_same_names_at_once_get_each_once(database: Database) {
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
    assert_eq!((created, store.accounts().count(&acme()).await.unwrap()), (50, 50));
}

async fn attack_sql_in_names_and_profiles_is_text(database: Database) {
    let store = database.open().await;
    let hostile = "x'); DROP TABLE accounts; --";
    let mut new = new_account(acme(), hostile);
    new.profile.given_name = Some("$1 ? \\' \" '' {}".to_owned());
    new.profile.roles = vec![hostile.to_owned()];
    let made = store.accounts().create(&new, NOW).await.unwrap();
    assert_eq!((made.username.as_str(), made.given_name), (hostile, new.profile.given_name));
    assert_eq!(whoever_types(&store, hostile).await, Some(made.id));
    assert_eq!(whoever_types(&store, "' OR '1'='1").await, None);
}

/// Who is found by this at the door of acme.com, where people are known by these.
async fn found(store: &Store, typed: &str, listed: &[LoginAttribute]) -> Option<String> {
    let name = LoginName::parse(typed, &acme(), |tenant| *tenant == globex()).unwrap();
    let allowed = |_: &TenantId| LoginAttributes { several: true, listed: listed.into() };
    store.accounts().by_login(&name, allowed).await.unwrap().map(|(account, _)| account.username)
}

async fn person(store: &Store, tenant: TenantId, username: &str, email: Option<&str>, mobile: &str) {
    let mut new = new_account(tenant, username);
    new.profile.email = email.map(str::to_owned);
    new.profile.mobile = Some(mobile.to_owned());
    store.accounts().create(&new, NOW).await.unwrap();
}

async fn people_are_found_by_what_their_tenant_allows(database: Database) {
    use LoginAttribute::{Email, Mobile, Username};
    let store = database.open().await;
    person(&store, acme(), "alex", Some("alex@mail.example"), "+49 (30) 12-34.5").await;
    // whose user name is an address, too
    person(&store, acme(), "bea@mail.example", Some("bea@mail.example"), "030/777777").await;
    person(&store, globex(), "alex", Some("alex@globex.example"), "+4930999").await;
    for (typed, listed, who) in [
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
        // of another tenant, at this door
        ("+4930999", &[Username, Mobile], None),
        ("+4930999@globex.com", &[Username, Mobile], Some("alex")),
        ("%", &[Username, Mobile], None),
    ] {
        assert_eq!(found(&store, typed, listed).await.as_deref(), who, "{typed} by {listed:?}");
    }
}

async fn a_mobile_number_that_two_have_is_nobodys(database: Database) {
    use LoginAttribute::{Mobile, Username};
    let store = database.open().await;
    person(&store, acme(), "alex", None, "5550000").await;
    assert_eq!(found(&store, "555-0000", &[Username, Mobile]).await.as_deref(), Some("alex"));
    person(&store, acme(), "bea", None, "555 0000").await;
    assert_eq!(found(&store, "555-0000", &[Username, Mobile]).await, None);
    // and a user name goes before a number
    person(&store, acme(), "5550000", None, "1").await;
    assert_eq!(found(&store, "5550000", &[Username, Mobile]).await.as_deref(), Some("5550000"));
}
