//! The command line: one file a command.

mod accounts;
mod audit;
pub mod certs;
pub mod check;
pub mod demo;
mod explain;
mod governance;
mod health;
pub mod init;
mod logging;
mod serve;
mod session;
mod user;

use std::{
    borrow::Cow,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::config::mistake::Mistake;

/// The doorkeeper of a developer portal.
///
/// Exit codes: 0 all went well, 1 it failed while running, 2 wrong usage or configuration.
#[derive(Parser)]
#[command(name = "doorward", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Stand in front of the portal
    Serve {
        #[command(flatten)]
        config: Config,
        /// What to log: error, warn, info, debug, or a filter such as doorward=debug [default: log.level]
        #[arg(long, env = "DOORWARD_LOG")]
        log: Option<String>,
    },
    /// Validate all configuration files and show what is in effect
    Check {
        #[command(flatten)]
        config: Config,
        /// One JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    Demo(demo::Options),
    Init(init::Options),
    Certs(certs::Options),
    Explain(explain::Options),
    Health(health::Options),
    User(user::Options),
    Governance(governance::Options),
    Audit(audit::Options),
    Session(session::Options),
}

#[derive(Args)]
struct Config {
    /// The configuration file
    #[arg(long = "config", short = 'c', env = "DOORWARD_CONFIG", default_value = CONFIG)]
    file: PathBuf,
}

const CONFIG: &str = "config/deployment.toml";

pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // nobody is left to be told when even this cannot be printed
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match arguments.command {
        Command::Serve { config, log } => serve::run(&config.file, log.as_deref()),
        Command::Check { config, json } => check::run(&config.file, json),
        Command::Demo(options) => demo::run(&options, serve::open),
        Command::Init(options) => init::run(&options),
        Command::Certs(options) => certs::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Health(options) => health::run(&options),
        Command::User(options) => user::run(options),
        Command::Governance(options) => governance::run(options),
        Command::Audit(options) => audit::run(options),
        Command::Session(options) => session::run(options),
    }
}

/// The settings, or every mistake in them on standard error.
fn settings(file: &Path) -> Result<crate::config::Settings, ExitCode> {
    crate::config::load::load(file, &crate::config::environment()).map_err(|mistakes| {
        for mistake in &folder_is_no_file(file).map_or(mistakes, |mistake| vec![mistake]) {
            eprintln!("error: {mistake}");
        }
        ExitCode::from(2)
    })
}

/// What is wrong with `--config FOLDER`, where it is one.
fn folder_is_no_file(file: &Path) -> Option<Mistake> {
    let remedy = || format!("write --config {}", quoted(&file.join("deployment.toml").display().to_string()));
    file.is_dir().then(|| Mistake::whole(file, "this is a folder", remedy()))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''")).into()
    }
}

/// An error with its causes, without those that the one before has said already.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !words.contains(&cause) {
            words.push_str(if words.is_empty() { "" } else { ": " });
            words.push_str(&cause);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let told = |error: anyhow::Error| in_words(&error);
        assert_eq!(
            told(anyhow!("no such role").context("the store refused: no such role").context("cannot open")),
            "cannot open: the store refused: no such role"
        );
        assert_eq!(told(anyhow!("disk full").context("cannot write")), "cannot write: disk full");
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        for (word, shown) in [
            ("alex@acme.com", "alex@acme.com"),
            ("LDAP/zoë", "LDAP/zoë"),
            ("my demo", "'my demo'"),
            ("o'kim", r"'o'\''kim'"),
            ("$HOME", "'$HOME'"),
            ("a;b", "'a;b'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Arguments::command().debug_assert();
    }
}
