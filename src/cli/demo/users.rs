//! Creates the demo's accounts, as `doorward user add` does.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::{
    account::{NewUser, hashing::Password},
    boot,
    cli::settings,
    demo::MEMBERS,
    domain::{account::UserProfile, tenant::TenantId},
    tenants::TenantLookup,
};

pub const USERNAMES: [&str; 2] = ["carol", "dave"];

/// The password of both.
pub const USER_PASSWORD: &str = "harbour lantern 42";

/// Accounts from an earlier demo in the same folder are not changed.
pub fn add_users(file: &Path) -> anyhow::Result<()> {
    let settings = settings(file).map_err(|_| anyhow!("the configuration has mistakes"))?;
    boot::with_account_store(settings, async |accounts, registry, _| {
        let tenant = TenantId::parse(MEMBERS)?;
        let TenantLookup::Tenant(policy) = registry.load(&tenant).await else {
            return Err(anyhow!("there is no tenant {tenant}"));
        };
        for name in USERNAMES {
            if accounts.administration.find(&policy, name).await?.is_none() {
                let new = NewUser { username: name.to_owned(), profile: profile(name), ..NewUser::default() };
                let added = accounts
                    .administration
                    .create(&policy, new, Some(&Password::new(USER_PASSWORD)), accounts.clock.now())
                    .await;
                added.with_context(|| format!("cannot add {name}"))?;
            }
        }
        Ok(())
    })
}

fn profile(name: &str) -> UserProfile {
    let (given, family) = if name == "carol" { ("Carol", "Marsh") } else { ("Dave", "Reed") };
    UserProfile {
        email: Some(format!("{name}@{MEMBERS}")),
        given_name: Some(given.to_owned()),
        family_name: Some(family.to_owned()),
        roles: vec!["Internal/subscriber".to_owned()],
        ..UserProfile::default()
    }
}
