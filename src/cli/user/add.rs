//! `doorward user add`

use std::process::ExitCode;

use anyhow::bail;

use crate::{
    account::{NewUser, suffix_tenant},
    cli::command_context::{PasswordSource, TenantArgs, with_tenant_accounts},
    domain::account::{InvalidUserProfile, PRIMARY, UserProfile, names},
};

#[derive(clap::Args)]
pub struct Options {
    username: String,
    #[command(flatten)]
    at: TenantArgs,
    #[command(flatten)]
    password: PasswordSource,
    /// Create the account without a password: sign-in is refused until it has one
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
    /// Its owner has to choose another password at the first sign-in
    #[arg(long)]
    must_change: bool,
    #[arg(long, value_parser = email)]
    email: Option<String>,
    #[arg(long)]
    mobile: Option<String>,
    #[arg(long)]
    given_name: Option<String>,
    #[arg(long)]
    family_name: Option<String>,
    /// As often as needed
    #[arg(long = "role")]
    roles: Vec<String>,
    /// The user store of the account [default: PRIMARY]
    #[arg(long, value_parser = user_store)]
    user_store: Option<String>,
    /// Any other claim, NAME=VALUE, as often as needed
    #[arg(long = "claim", value_parser = claim)]
    claims: Vec<(String, String)>,
}

/// Says what to write in place of an invalid argument.
#[derive(Debug, thiserror::Error)]
enum InvalidArgument {
    #[error("{0}; write alex@example.org")]
    Email(InvalidUserProfile),
    #[error("a user store has letters, digits, `.`, `-` and `_` in its name, 64 at most; write LDAP")]
    UserStore,
    #[error("write NAME=VALUE")]
    Claim,
}

fn email(written: &str) -> Result<String, InvalidArgument> {
    let profile = UserProfile { email: Some(written.to_owned()), ..UserProfile::default() };
    profile.validate().map(|_| written.to_owned()).map_err(InvalidArgument::Email)
}

fn user_store(written: &str) -> Result<String, InvalidArgument> {
    names::canonical_user_store(written).map_err(|_| InvalidArgument::UserStore)
}

fn claim(written: &str) -> Result<(String, String), InvalidArgument> {
    let (name, value) =
        written.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or(InvalidArgument::Claim)?;
    Ok((name.to_owned(), value.to_owned()))
}

pub fn run(options: Options) -> ExitCode {
    with_tenant_accounts(&options.at, async |context| {
        if options.at.tenant.is_none()
            && let Some(other) =
                suffix_tenant(&context.tenants, &options.username, &context.policy.tenant).await
        {
            let (name, current_tenant, other_tenant) =
                (&options.username, &context.policy.tenant, &other.tenant);
            bail!(
                "{name} would be a name in tenant {current_tenant}: for an account of tenant {other_tenant} leave @{other_tenant} out and add \
                 --tenant {other_tenant}, or write --tenant {current_tenant} if it is meant"
            );
        }
        let password = if options.no_password { None } else { Some(options.password.read()?) };
        let new = NewUser {
            user_store: options.user_store,
            username: options.username,
            must_change_password: options.must_change,
            profile: UserProfile {
                email: options.email,
                mobile: options.mobile,
                given_name: options.given_name,
                family_name: options.family_name,
                roles: options.roles,
                claims: options.claims.into_iter().collect(),
            },
        };
        let account = context
            .accounts
            .administration
            .create(&context.policy, new, password.as_ref(), context.now())
            .await?;
        let (name, tenant) = (&account.username, &account.tenant);
        let next = if password.is_some() {
            format!("of tenant {tenant} can sign in now")
        } else {
            let (store, user) = (&account.user_store, &account.username);
            let login = if store == PRIMARY { user.clone() } else { format!("{store}/{user}") };
            let set = context.command_line(&["user", "set-password", &login, "--tenant", tenant.as_str()]);
            format!("of tenant {tenant} has no password: sign-in is refused before `{set}`")
        };
        super::report_done(&context, name, &next);
        Ok(())
    })
}
