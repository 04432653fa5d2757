//! What the commands about accounts have in common: the store opened beside a running Doorward, who is meant, and a
//! password that is never an argument.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};

use super::{quoted, settings};
use crate::{
    account::{Doors, hashing::Password},
    boot,
    config::{TenantPolicy, directory::Found},
    domain::{
        account::Account,
        audit::{Actor, Proof},
        tenant::TenantId,
    },
};

#[derive(clap::Args)]
pub struct Where {
    #[command(flatten)]
    pub config: super::Config,
    /// The tenant it is about [default: the default tenant]
    #[arg(long, short)]
    pub tenant: Option<String>,
    /// One JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// Accounts as an administrator at the command line has them. What is changed here a running Doorward hears of at once.
pub struct Desk {
    pub doors: Doors,
    pub policy: Arc<TenantPolicy>,
    pub json: bool,
    /// Where `deployment.toml` is, unless it is where it is looked for anyway.
    config: Option<PathBuf>,
}

/// What is wrong with a tenant's file is said once, and nothing of the files of others.
const LOG: &str = "warn,doorward::config::directory::cache=off,doorward::config::directory::index::files=off";

const KEPT: &str = "a running Doorward keeps the last good settings";

/// Exit code 0: done. 1: it could not be done. 2: wrong configuration.
pub fn at_desk(at: &Where, work: impl AsyncFnOnce(Desk) -> anyhow::Result<()>) -> ExitCode {
    open(at, async |desk| {
        if let Some(problem) = &desk.policy.problem {
            eprintln!("warning: {problem}; {KEPT}");
        }
        work(desk).await
    })
}

/// The same for what nobody can tell who cannot read the tenant's file.
pub fn at_desk_in_force(at: &Where, work: impl AsyncFnOnce(Desk) -> anyhow::Result<()>) -> ExitCode {
    open(at, async |desk| match &desk.policy.problem {
        Some(problem) => bail!("{problem}; {KEPT}, which cannot be seen from here"),
        None => work(desk).await,
    })
}

fn open(at: &Where, work: impl AsyncFnOnce(Desk) -> anyhow::Result<()>) -> ExitCode {
    let settings = match settings(&at.config.file) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    super::logging::start(LOG);
    let folder = settings.tenancy.folder.clone();
    let done = boot::at_desk(settings, async |doors, directory, default| {
        let tenant = match &at.tenant {
            Some(written) => TenantId::parse(written).with_context(|| format!("--tenant {written}"))?,
            None => default,
        };
        match directory.load(&tenant).await {
            Found::Tenant(policy) => {
                let config = Some(&at.config.file).filter(|file| file.as_path() != Path::new(super::CONFIG));
                work(Desk { doors, policy, json: at.json, config: config.cloned() }).await
            }
            Found::Unknown => Err(anyhow!(
                "there is no tenant {tenant}: a tenant is a folder of that name in {}",
                folder.display()
            )),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", super::in_words(&error));
            ExitCode::FAILURE
        }
    }
}

impl Desk {
    /// The account of this name, in any form in which its owner could sign in.
    pub async fn account(&self, login: &str) -> anyhow::Result<Account> {
        let found = self.doors.account(&self.policy, login).await?;
        match found {
            Some(account) => Ok(account),
            None => Err(self.unknown_user(login, "").await),
        }
    }

    /// The error for a name without an account; `also` names what else was not found and begins with a comma.
    pub async fn unknown_user(&self, login: &str, also: &str) -> anyhow::Error {
        let tenant = &self.policy.tenant;
        let other = self.doors.tenant_in(login, tenant).await;
        match other.as_ref().zip(login.rsplit_once('@')) {
            Some((other, (user, _))) => anyhow!(
                "there is no account {login} in tenant {tenant}{also}, and no {user} in tenant {other}; if {login} is a name or an \
                 e-mail address there, add --tenant {other}",
                other = other.tenant
            ),
            None => anyhow!("there is no account {login} in tenant {tenant}{also}"),
        }
    }

    /// A command to do next, as it can be typed here.
    pub fn command(&self, words: &[&str]) -> String {
        let config = self.config.as_ref().map(|file| file.display().to_string());
        let config = config.iter().flat_map(|file| ["--config", file.as_str()]);
        let words = ["doorward"].iter().copied().chain(words.iter().copied()).chain(config);
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// Whoever has the machine, as far as it can be told.
pub fn operator() -> Actor {
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = name.filter(|name| !name.is_empty() && name.len() <= 64 && !name.contains(char::is_control));
    Actor {
        name: name.map_or_else(|| "command line".to_owned(), |name| format!("command line ({name})")),
        tenant: None,
        proof: Proof::Machine,
        address: None,
        request_id: None,
    }
}

/// A line of output; whoever closed the pipe has read enough.
pub fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

#[derive(clap::Args)]
pub struct PasswordFrom {
    /// A file with the password; `-` reads standard input. Without it you are asked
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// No password is longer.
const LONGEST: u64 = 4096;

impl PasswordFrom {
    pub fn read(&self) -> anyhow::Result<Password> {
        match &self.password_file {
            None => ask(),
            Some(file) if file == Path::new("-") => first_line(io::stdin().lock()).context("standard input"),
            Some(file) => {
                let opened = std::fs::File::open(file).map_err(anyhow::Error::from);
                opened.and_then(first_line).with_context(|| format!("--password-file {}", file.display()))
            }
        }
    }
}

fn ask() -> anyhow::Result<Password> {
    if !io::stdin().is_terminal() {
        bail!(
            "there is no terminal to ask for the password: use --password-file FILE, or - for standard input"
        );
    }
    let first = rpassword::prompt_password("Password: ")?;
    let second = rpassword::prompt_password("Again: ")?;
    if first != second {
        bail!("the two passwords differ");
    }
    if first.is_empty() {
        bail!("the password is empty");
    }
    Ok(Password::new(first))
}

/// All of it but the line break at its end.
fn first_line(from: impl io::Read) -> anyhow::Result<Password> {
    let mut text = String::new();
    from.take(LONGEST + 1).read_to_string(&mut text)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        bail!("there is no password in it");
    }
    if text.contains('\n') || text.len() as u64 > LONGEST {
        bail!("this is more than one line");
    }
    Ok(Password::new(text))
}

/// A moment as people read it.
pub fn moment(millis: u64) -> String {
    let at = i64::try_from(millis).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    at.map_or_else(|| millis.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_from_a_file_is_its_one_line() {
        for (text, password) in [
            ("geheim", Some("geheim")),
            ("geheim\n", Some("geheim")),
            ("geheim\r\n", Some("geheim")),
            (" ge heim \n", Some(" ge heim ")),
            ("", None),
            ("\n", None),
            ("a\nb\n", None),
        ] {
            let read = first_line(text.as_bytes()).ok();
            assert_eq!(read.as_ref().map(Password::expose), password, "{text:?}");
        }
        assert!(first_line("a".repeat(5000).as_bytes()).is_err());
    }

    #[test]
    fn moments_are_read_by_people() {
        assert_eq!(moment(1_800_000_000_000), "2027-01-15 08:00:00Z");
        assert_eq!(moment(u64::MAX), u64::MAX.to_string());
    }
}
