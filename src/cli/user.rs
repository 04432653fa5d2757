//! `doorward user`: the accounts of a tenant.

mod add;
mod import;
mod show;

use std::process::ExitCode;

use super::accounts::{Desk, PasswordFrom, Where, at_desk, say};
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
    /// All accounts, in the order of their names
    List {
        #[command(flatten)]
        at: Where,
    },
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
    /// Take every lock away, also that of wrong passwords
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
        Action::List { at } => at_desk(&at, show::list),
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
            desk.doors.lock(&account.id, clock::millis()).await
        }),
        Action::Unlock(who) => change(&who, "is unlocked", async |desk, account| {
            desk.doors.unlock(account, clock::millis()).await
        }),
        Action::Disable(who) => change(&who, "is disabled", async |desk, account| {
            desk.doors.disable(&account.id, clock::millis()).await
        }),
        Action::Enable(who) => change(&who, "is enabled", async |desk, account| {
            desk.doors.enable(&account.id, clock::millis()).await
        }),
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

fn done(desk: &Desk, username: &str, what: &str) {
    if desk.json {
        say(&serde_json::json!({ "ok": true, "user": username, "tenant": desk.policy.tenant }).to_string());
    } else {
        say(&format!("{username} {what}"));
    }
}
