//! `doorward session`: lists and ends sessions.

use std::process::ExitCode;

use anyhow::bail;
use clap::ArgGroup;
use serde_json::json;

use super::{
    command_context::{format_time, print_line, with_tenant_accounts},
    user::AccountArgs,
};
use crate::domain::session::Session;

/// List and end sessions; a session ends at once, also in a running Doorward
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: SessionCommand,
}

#[derive(clap::Subcommand)]
enum SessionCommand {
    /// The sessions of an account, the one used last first
    List(AccountArgs),
    /// End one session of an account, or all
    #[command(group = ArgGroup::new("which").required(true))]
    End {
        #[command(flatten)]
        who: AccountArgs,
        /// As `session list` names it; its beginning is enough
        #[arg(long, group = "which")]
        session: Option<String>,
        /// Every session of the account
        #[arg(long, group = "which")]
        all: bool,
    },
}

pub fn run(options: Options) -> ExitCode {
    match options.action {
        SessionCommand::List(who) => with_tenant_accounts(&who.at, async |context| {
            let account = context.account(&who.user).await?;
            let sessions = context.accounts.sessions.list(&account.id, context.now()).await?;
            if context.json {
                print_line(&format!("{:#}", sessions.iter().map(as_json).collect::<serde_json::Value>()));
            } else {
                for session in &sessions {
                    print_line(&as_text(session));
                }
                if sessions.is_empty() {
                    eprintln!("{} is signed in nowhere", account.username);
                }
            }
            Ok(())
        }),
        SessionCommand::End { who, session, all } => with_tenant_accounts(&who.at, async |context| {
            let account = context.account(&who.user).await?;
            let now = context.now();
            let ended = if all {
                context.accounts.sessions.end_all(&account.id, None, now).await?
            } else {
                let begin = session.unwrap_or_default();
                let sessions = context.accounts.sessions.list(&account.id, now).await?;
                let mut matching =
                    sessions.iter().filter(|session| session.hash.to_hex().starts_with(&begin));
                match (matching.next(), matching.next()) {
                    (Some(one), None) => u64::from(context.accounts.sessions.end(&one.hash, now).await?),
                    (Some(_), Some(_)) => bail!("more than one session begins with {begin:?}"),
                    (None, _) => bail!("{} has no session {begin:?}", account.username),
                }
            };
            if context.json {
                print_line(&json!({ "ended": ended }).to_string());
            } else {
                let s = if ended == 1 { "" } else { "s" };
                print_line(&format!("{ended} session{s} of {} ended", account.username));
            }
            Ok(())
        }),
    }
}

fn as_json(session: &Session) -> serde_json::Value {
    json!({
        "session": session.hash.to_hex(),
        "signed_in_at": session.signed_in_at.as_millis(),
        "last_seen_at": session.last_seen_at.as_millis(),
        "ends_at": session.ends_at().as_millis(),
        "address": session.address,
        "user_agent": session.user_agent,
    })
}

fn as_text(session: &Session) -> String {
    let hash = session.hash.to_hex();
    format!(
        "{}  signed in {}  used {}  {}  {}",
        hash.get(..12).unwrap_or(&hash),
        format_time(session.signed_in_at),
        format_time(session.last_seen_at),
        session.address,
        session.user_agent,
    )
}
