//! `doorward user`: the accounts of a tenant.

mod add;
mod import;
mod progress;
mod show;

use std::process::ExitCode;

use super::command_context::{
    CommandContext, PasswordSource, TenantArgs, operator_actor, print_line, with_tenant_accounts,
};
use crate::account::AdminError;

/// The accounts of a tenant; changes apply at once, also to a running Doorward
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: UserCommand,
}

#[derive(clap::Subcommand)]
enum UserCommand {
    /// Make an account
    Add(Box<add::Options>),
    List(show::ListOptions),
    /// An account with its locks, and WSO2's view of it
    Show(AccountArgs),
    /// Give an account another password; its sessions end
    SetPassword {
        #[command(flatten)]
        who: AccountArgs,
        #[command(flatten)]
        password: PasswordSource,
        /// Its owner has to choose another at the next sign-in
        #[arg(long)]
        must_change: bool,
    },
    /// Refuse sign-in to the account until it is unlocked; its sessions end
    Lock(AccountArgs),
    /// Remove every lock, also that of wrong passwords, and at a guarded portal that of a name without account here
    Unlock(AccountArgs),
    /// As if there were no such account, until it is enabled; its sessions end
    Disable(AccountArgs),
    /// The end of disable
    Enable(AccountArgs),
    Import(import::Options),
}

#[derive(clap::Args)]
pub struct AccountArgs {
    /// A user name, an e-mail address, user@tenant or STORE/user
    pub user: String,
    #[command(flatten)]
    pub at: TenantArgs,
}

pub fn run(options: Options) -> ExitCode {
    match options.action {
        UserCommand::Add(options) => add::run(*options),
        UserCommand::List(options) => {
            with_tenant_accounts(&options.at, async |context| show::list(&context, &options).await)
        }
        UserCommand::Show(target) => {
            with_tenant_accounts(&target.at, async |context| show::show(&context, &target.user).await)
        }
        UserCommand::SetPassword { who: target, password, must_change } => {
            with_tenant_accounts(&target.at, async |context| {
                let account = context.account(&target.user).await?;
                let password = password.read()?;
                let policy = context.accounts.administration.policy_of(&context.policy, &account).await;
                context
                    .accounts
                    .passwords
                    .set(&policy, &account, &password, must_change, context.now())
                    .await?;
                report_done(&context, &account.username, "has another password");
                Ok(())
            })
        }
        UserCommand::Lock(target) => change_account(&target, "is locked", async |context, account| {
            context.accounts.administration.lock(account, &operator_actor(), context.now()).await
        }),
        UserCommand::Unlock(target) => {
            with_tenant_accounts(&target.at, async |context| unlock(&context, &target.user).await)
        }
        UserCommand::Disable(target) => change_account(&target, "is disabled", async |context, account| {
            context.accounts.administration.disable(account, &operator_actor(), context.now()).await
        }),
        UserCommand::Enable(target) => {
            with_tenant_accounts(&target.at, async |context| enable(&context, &target.user).await)
        }
        UserCommand::Import(options) => import::run(&options),
    }
}

fn change_account(
    target: &AccountArgs,
    outcome: &str,
    work: impl AsyncFnOnce(&CommandContext, &crate::domain::account::Account) -> Result<(), AdminError>,
) -> ExitCode {
    with_tenant_accounts(&target.at, async |context| {
        let account = context.account(&target.user).await?;
        work(&context, &account).await?;
        report_done(&context, &account.username, outcome);
        Ok(())
    })
}

async fn unlock(context: &CommandContext, user: &str) -> anyhow::Result<()> {
    let Some(account) = context.accounts.administration.find(&context.policy, user).await? else {
        // for users of the portal without an account, the lock is on the name
        if !context.accounts.portal_login.unlock(&context.policy, user, &operator_actor()).await? {
            return Err(context
                .unknown_user(user, ", and no lock of that name at the portal's own sign-in")
                .await);
        }
        report_done(context, user, "has no account here; at the portal's own sign-in the name is unlocked");
        return Ok(());
    };
    context.accounts.administration.unlock(&account, &operator_actor(), context.now()).await?;
    let still = if account.disabled { ", but disabled still: `doorward user enable` ends that" } else { "" };
    report_done(context, &account.username, &format!("is unlocked{still}"));
    Ok(())
}

async fn enable(context: &CommandContext, user: &str) -> anyhow::Result<()> {
    let account = context.account(user).await?;
    let now = context.now();
    context.accounts.administration.enable(&account, &operator_actor(), now).await?;
    let locked = account.admin_lock.is_some()
        || context.accounts.administration.lockout_counter(&account).await?.locked_until.is_in_force(now);
    let still = if locked { ", but locked still: `doorward user unlock` ends that" } else { "" };
    report_done(context, &account.username, &format!("is enabled{still}"));
    Ok(())
}

fn report_done(context: &CommandContext, username: &str, outcome: &str) {
    if context.json {
        print_line(
            &serde_json::json!({ "ok": true, "user": username, "tenant": context.policy.tenant }).to_string(),
        );
    } else {
        print_line(&format!("{username} {outcome}"));
    }
}
