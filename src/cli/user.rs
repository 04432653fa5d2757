//! `doorward user`: the accounts of a tenant.

mod add;
mod import;
mod progress;
mod show;

use std::process::ExitCode;

use super::accounts::{Desk, PasswordFrom, Where, at_desk, operator, say};
use crate::{account::AdminError, clock};

/// The accounts of a tenant; what is changed here counts at once, also while Doorward serves
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make an account
    Add(Box<add::Options>),
    List(show::ListOptions),
    /// An account with its locks, and WSO2's view of it
    Show(Named),
    /// Give an account another password; its sessions end
    SetPassword {
        #[command(flatten)]
        who: Named,
        #[command(flatten)]
        password: PasswordFrom,
        /// Its owner has to choose another at the next sign-in
        #[arg(long)]
        must_change: bool,
    },
    /// Nobody can sign in to the account until it is unlocked; its sessions end
    Lock(Named),
    /// Take every lock away, also that of wrong passwords, and at a guarded portal that of a name without account here
    Unlock(Named),
    /// As if there were no such account, until it is enabled; its sessions end
    Disable(Named),
    /// The end of disable
    Enable(Named),
    Import(import::Options),
}

#[derive(clap::Args)]
pub struct Named {
    /// A user name, an e-mail address, user@tenant or STORE/user
    pub user: String,
    #[command(flatten)]
    pub at: Where,
}

pub fn run(options: Options) -> ExitCode {
    match options.action {
        Action::Add(options) => add::run(*options),
        Action::List(options) => at_desk(&options.at, async |desk| show::list(&desk, &options).await),
        Action::Show(who) => at_desk(&who.at, async |desk| show::show(&desk, &who.user).await),
        Action::SetPassword { who, password, must_change } => at_desk(&who.at, async |desk| {
            let account = desk.account(&who.user).await?;
            let password = password.read()?;
            let policy = desk.doors.policy_of(&desk.policy, &account).await;
            desk.doors.set_password(&policy, &account, &password, must_change, clock::millis()).await?;
            done(&desk, &account.username, "has another password");
            Ok(())
        }),
        Action::Lock(who) => change(&who, "is locked", async |desk, account| {
            desk.doors.lock(account, &operator(), clock::millis()).await
        }),
        Action::Unlock(who) => at_desk(&who.at, async |desk| unlock(&desk, &who.user).await),
        Action::Disable(who) => change(&who, "is disabled", async |desk, account| {
            desk.doors.disable(account, &operator(), clock::millis()).await
        }),
        Action::Enable(who) => at_desk(&who.at, async |desk| enable(&desk, &who.user).await),
        Action::Import(options) => import::run(&options),
    }
}

fn change(
    who: &Named,
    what: &str,
    work: impl AsyncFnOnce(&Desk, &crate::domain::account::Account) -> Result<(), AdminError>,
) -> ExitCode {
    at_desk(&who.at, async |desk| {
        let account = desk.account(&who.user).await?;
        work(&desk, &account).await?;
        done(&desk, &account.username, what);
        Ok(())
    })
}

async fn unlock(desk: &Desk, user: &str) -> anyhow::Result<()> {
    let Some(account) = desk.doors.account(&desk.policy, user).await? else {
        // for users of the portal without an account, the lock is on the name
        if !desk.doors.unlock_at_portal(&desk.policy, user, &operator()).await? {
            return Err(desk
                .unknown_user(user, ", and no lock of that name at the portal's own sign-in")
                .await);
        }
        done(desk, user, "has no account here; at the portal's own sign-in the name is unlocked");
        return Ok(());
    };
    desk.doors.unlock(&account, &operator(), clock::millis()).await?;
    let still = if account.disabled { ", but disabled still: `doorward user enable` ends that" } else { "" };
    done(desk, &account.username, &format!("is unlocked{still}"));
    Ok(())
}

async fn enable(desk: &Desk, user: &str) -> anyhow::Result<()> {
    let account = desk.account(user).await?;
    let now = clock::millis();
    desk.doors.enable(&account, &operator(), now).await?;
    let locked =
        account.admin_lock.is_some() || desk.doors.counter(&account).await?.locked_until.in_force(now);
    let still = if locked { ", but locked still: `doorward user unlock` ends that" } else { "" };
    done(desk, &account.username, &format!("is enabled{still}"));
    Ok(())
}

fn done(desk: &Desk, username: &str, what: &str) {
    if desk.json {
        say(&serde_json::json!({ "ok": true, "user": username, "tenant": desk.policy.tenant }).to_string());
    } else {
        say(&format!("{username} {what}"));
    }
}
