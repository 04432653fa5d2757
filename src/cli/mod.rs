//! The command line: one file a command.

mod audit;
pub(crate) mod certs;
pub(crate) mod check;
mod command_context;
pub(crate) mod demo;
mod explain;
mod governance;
mod health;
mod import;
pub(crate) mod init;
mod logging;
mod output_folder;
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

/// Authentication reverse proxy for developer portals.
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
    /// Run the proxy in front of the portal
    Serve {
        #[command(flatten)]
        config: ConfigArgs,
        /// Log level: error, warn, info, debug, or a filter such as doorward=debug [default: log.level]
        #[arg(long, env = "DOORWARD_LOG")]
        log: Option<String>,
    },
    /// Validate all configuration files and show the effective configuration
    Check {
        #[command(flatten)]
        config: ConfigArgs,
        /// One JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    Demo(demo::Options),
    Init(init::Options),
    Import(import::Options),
    Certs(certs::Options),
    Explain(explain::Options),
    Health(health::Options),
    User(user::Options),
    Governance(governance::Options),
    Audit(audit::Options),
    Session(session::Options),
}

#[derive(Args)]
struct ConfigArgs {
    /// The configuration file
    #[arg(long = "config", short = 'c', env = "DOORWARD_CONFIG", default_value = DEFAULT_CONFIG_FILE)]
    file: PathBuf,
}

const DEFAULT_CONFIG_FILE: &str = "config/deployment.toml";

pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // a failure to print cannot be reported
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match arguments.command {
        Command::Serve { config, log } => serve::run(&config.file, log.as_deref()),
        Command::Check { config, json } => check::run(&config.file, json),
        Command::Demo(options) => demo::run(&options, serve::start_for_demo),
        Command::Init(options) => init::run(&options),
        Command::Import(options) => import::run(&options),
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
        for mistake in &folder_mistake(file).map_or(mistakes, |mistake| vec![mistake]) {
            eprintln!("error: {mistake}");
        }
        ExitCode::from(2)
    })
}

/// The mistake to report if `--config` names a folder.
fn folder_mistake(file: &Path) -> Option<Mistake> {
    let remedy =
        || format!("write --config {}", shell_quoted(&file.join("deployment.toml").display().to_string()));
    file.is_dir().then(|| Mistake::whole(file, "this is a folder", remedy()))
}

/// A word as a shell reads it.
fn shell_quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''")).into()
    }
}

/// The error chain as one text, without causes that the text already contains.
fn error_chain_text(error: &anyhow::Error) -> String {
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
    fn error_chain_does_not_repeat_causes() {
        let message = |error: anyhow::Error| error_chain_text(&error);
        assert_eq!(
            message(
                anyhow!("no such role").context("the store refused: no such role").context("cannot open")
            ),
            "cannot open: the store refused: no such role"
        );
        assert_eq!(message(anyhow!("disk full").context("cannot write")), "cannot write: disk full");
    }

    #[test]
    fn quotes_words_that_a_shell_would_split() {
        for (word, shown) in [
            ("alex@acme.com", "alex@acme.com"),
            ("LDAP/zoë", "LDAP/zoë"),
            ("my demo", "'my demo'"),
            ("o'kim", r"'o'\''kim'"),
            ("$HOME", "'$HOME'"),
            ("a;b", "'a;b'"),
            ("", "''"),
        ] {
            assert_eq!(shell_quoted(word), shown);
        }
    }

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Arguments::command().debug_assert();
    }
}
