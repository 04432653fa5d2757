//! The people of the demo's tenant with accounts, made as `doorward user add` makes them.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::{
    account::{NewUser, hashing::Password},
    boot,
    cli::settings,
    clock,
    config::directory::Found,
    demo::MEMBERS,
    domain::{account::Profile, tenant::TenantId},
};

pub const NAMES: [&str; 2] = ["carol", "dave"];

/// The password of both.
pub const PASSWORD: &str = "harbour lantern 42";

/// Whoever is there already, from an earlier demo in the same folder, stays as they are.
pub fn add(file: &Path) -> anyhow::Result<()> {
    let settings = settings(file).map_err(|_| anyhow!("the configuration has mistakes"))?;
    boot::at_desk(settings, async |doors, directory, _| {
        let tenant = TenantId::parse(MEMBERS)?;
        let Found::Tenant(policy) = directory.load(&tenant).await else {
            return Err(anyhow!("there is no tenant {tenant}"));
        };
        for name in NAMES {
            if doors.account(&policy, name).await?.is_none() {
                let new = NewUser { username: name.to_owned(), profile: profile(name), ..NewUser::default() };
                let added = doors.add(&policy, new, Some(&Password::new(PASSWORD)), clock::millis()).await;
                added.with_context(|| format!("cannot add {name}"))?;
            }
        }
        Ok(())
    })
}

fn profile(name: &str) -> Profile {
    let (given, family) = if name == "carol" { ("Carol", "Marsh") } else { ("Dave", "Reed") };
    Profile {
        email: Some(format!("{name}@{MEMBERS}")),
        given_name: Some(given.to_owned()),
        family_name: Some(family.to_owned()),
        roles: vec!["Internal/subscriber".to_owned()],
        ..Profile::default()
    }
}
