//! `doorward session`: who is signed in, and an end to it.

use std::process::ExitCode;

use anyhow::bail;
use clap::ArgGroup;
use serde_json::json;

use super::{
    accounts::{at_desk, moment, say},
    user::Named,
};
use crate::{clock, domain::session::Session};

/// Who is signed in; what is ended here ends at once, also while Doorward serves
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// The sessions of an account, the one used last first
    List(Named),
    /// End one session of an account, or all
    #[command(group = ArgGroup::new("which").required(true))]
    End {
        #[command(flatten)]
        who: Named,
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
        Action::List(who) => at_desk(&who.at, async |desk| {
            let account = desk.account(&who.user).await?;
            let sessions = desk.doors.sessions_of(&account.id, clock::millis()).await?;
            if desk.json {
                say(&format!("{:#}", sessions.iter().map(as_json).collect::<serde_json::Value>()));
            } else {
                for session in &sessions {
                    say(&as_text(session));
                }
                if sessions.is_empty() {
                    eprintln!("{} is signed in nowhere", account.username);
                }
            }
            Ok(())
        }),
        Action::End { who, session, all } => at_desk(&who.at, async |desk| {
            let account = desk.account(&who.user).await?;
            let now = clock::millis();
            let ended = if all {
                desk.doors.sessions().end_all(&account.id, None, now).await?
            } else {
                let begin = session.unwrap_or_default();
                let sessions = desk.doors.sessions_of(&account.id, now).await?;
                let mut meant = sessions.iter().filter(|session| session.hash.to_hex().starts_with(&begin));
                match (meant.next(), meant.next()) {
                    (Some(one), None) => u64::from(desk.doors.end_session(&one.hash, now).await?),
                    (Some(_), Some(_)) => bail!("more than one session begins with {begin:?}"),
                    (None, _) => bail!("{} has no session {begin:?}", account.username),
                }
            };
            if desk.json {
                say(&json!({ "ended": ended }).to_string());
            } else {
                let s = if ended == 1 { "" } else { "s" };
                say(&format!("{ended} session{s} of {} ended", account.username));
            }
            Ok(())
        }),
    }
}

fn as_json(session: &Session) -> serde_json::Value {
    json!({
        "session": session.hash.to_hex(),
        "signed_in_at": session.signed_in_at,
        "last_seen_at": session.last_seen_at,
        "ends_at": session.ends_at(),
        "address": session.address,
        "user_agent": session.user_agent,
    })
}

fn as_text(session: &Session) -> String {
    let hash = session.hash.to_hex();
    format!(
        "{}  signed in {}  used {}  {}  {}",
        hash.get(..12).unwrap_or(&hash),
        moment(session.signed_in_at),
        moment(session.last_seen_at),
        session.address,
        session.user_agent,
    )
}
