//! Shared parts of the account commands: the store opened beside a running Doorward, tenant and account, and a
//! password that is never an argument.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};

use super::{settings, shell_quoted};
use crate::{
    account::{hashing::Password, suffix_tenant},
    boot::{self, AccountServices},
    config::TenantPolicy,
    domain::{
        account::Account,
        audit::{Actor, ActorCredential},
        tenant::TenantId,
        time::Timestamp,
    },
    tenants::{TenantLookup, TenantRegistry},
};

#[derive(clap::Args)]
pub struct TenantArgs {
    #[command(flatten)]
    pub config: super::ConfigArgs,
    /// The tenant to work on [default: the default tenant]
    #[arg(long, short)]
    pub tenant: Option<String>,
    /// One JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// The opened store, the tenant's policy and the output format of one command. A running Doorward applies changes at once.
pub struct CommandContext {
    pub accounts: AccountServices,
    pub tenants: Arc<TenantRegistry>,
    pub policy: Arc<TenantPolicy>,
    pub json: bool,
    /// Path of `deployment.toml`; `None` for the default path.
    config: Option<PathBuf>,
}

/// Silences the tenant registry: the command itself reports the mistakes of its tenant, and no others.
const LOG_FILTER: &str = "warn,doorward::tenants::reload_report=off";

const KEEPS_LAST_GOOD: &str = "a running Doorward keeps the last good settings";

/// Exit code 0: done. 1: it could not be done. 2: wrong configuration.
pub fn with_tenant_accounts(
    target: &TenantArgs,
    work: impl AsyncFnOnce(CommandContext) -> anyhow::Result<()>,
) -> ExitCode {
    open_accounts(target, async |context| {
        if let Some(problem) = &context.policy.problem {
            eprintln!("warning: {problem}; {KEEPS_LAST_GOOD}");
        }
        work(context).await
    })
}

/// Like `with_tenant_accounts`, but fails if the tenant's file is invalid: only the running server knows the policy in force.
pub fn with_tenant_accounts_in_force(
    target: &TenantArgs,
    work: impl AsyncFnOnce(CommandContext) -> anyhow::Result<()>,
) -> ExitCode {
    open_accounts(target, async |context| match &context.policy.problem {
        Some(problem) => bail!("{problem}; {KEEPS_LAST_GOOD}, which cannot be seen from here"),
        None => work(context).await,
    })
}

fn open_accounts(
    target: &TenantArgs,
    work: impl AsyncFnOnce(CommandContext) -> anyhow::Result<()>,
) -> ExitCode {
    let settings = match settings(&target.config.file) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    super::logging::start(LOG_FILTER);
    let folder = settings.tenancy.folder.clone();
    let result = boot::with_account_store(settings, async |accounts, registry, default| {
        let tenant = match &target.tenant {
            Some(written) => TenantId::parse(written).with_context(|| format!("--tenant {written}"))?,
            None => default,
        };
        match registry.load(&tenant).await {
            TenantLookup::Tenant(policy) => {
                let config = Some(&target.config.file)
                    .filter(|file| file.as_path() != Path::new(super::DEFAULT_CONFIG_FILE));
                let (tenants, json) = (Arc::clone(&registry), target.json);
                work(CommandContext { accounts, tenants, policy, json, config: config.cloned() }).await
            }
            TenantLookup::Unknown => Err(anyhow!(
                "there is no tenant {tenant}: a tenant is a folder of that name in {}",
                folder.display()
            )),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", super::error_chain_text(&error));
            ExitCode::FAILURE
        }
    }
}

impl CommandContext {
    pub fn now(&self) -> Timestamp {
        self.accounts.clock.now()
    }

    /// The account of this name, in any form in which its owner could sign in.
    pub async fn account(&self, login: &str) -> anyhow::Result<Account> {
        let found = self.accounts.administration.find(&self.policy, login).await?;
        match found {
            Some(account) => Ok(account),
            None => Err(self.unknown_user(login, "").await),
        }
    }

    /// The error for a name without an account; `also` names what else was not found and begins with a comma.
    pub async fn unknown_user(&self, login: &str, also: &str) -> anyhow::Error {
        let tenant = &self.policy.tenant;
        let other = suffix_tenant(&self.tenants, login, tenant).await;
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
    pub fn command_line(&self, words: &[&str]) -> String {
        let config = self.config.as_ref().map(|file| file.display().to_string());
        let config = config.iter().flat_map(|file| ["--config", file.as_str()]);
        let words = ["doorward"].iter().copied().chain(words.iter().copied()).chain(config);
        words.map(shell_quoted).collect::<Vec<_>>().join(" ")
    }
}

/// The operator who runs the command, as named by the environment.
pub fn operator_actor() -> Actor {
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = name.filter(|name| !name.is_empty() && name.len() <= 64 && !name.contains(char::is_control));
    Actor {
        name: name.map_or_else(|| "command line".to_owned(), |name| format!("command line ({name})")),
        tenant: None,
        credential: ActorCredential::CommandLine,
        address: None,
        request_id: None,
    }
}

/// Prints a line. Errors are ignored: a closed pipe means that the reader needs no more.
pub fn print_line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

#[derive(clap::Args)]
pub struct PasswordSource {
    /// A file with the password; `-` reads standard input. Without it you are asked
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Longer passwords are rejected.
const MAX_PASSWORD_BYTES: u64 = 4096;

impl PasswordSource {
    pub fn read(&self) -> anyhow::Result<Password> {
        match &self.password_file {
            None => prompt_password(),
            Some(file) if file == Path::new("-") => first_line(io::stdin().lock()).context("standard input"),
            Some(file) => {
                let opened = std::fs::File::open(file).map_err(anyhow::Error::from);
                opened.and_then(first_line).with_context(|| format!("--password-file {}", file.display()))
            }
        }
    }
}

fn prompt_password() -> anyhow::Result<Password> {
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

/// Reads one line, without its line break.
fn first_line(from: impl io::Read) -> anyhow::Result<Password> {
    let mut text = String::new();
    from.take(MAX_PASSWORD_BYTES + 1).read_to_string(&mut text)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        bail!("there is no password in it");
    }
    if text.contains('\n') || text.len() as u64 > MAX_PASSWORD_BYTES {
        bail!("this is more than one line");
    }
    Ok(Password::new(text))
}

/// A timestamp in a readable form.
pub fn format_time(at: Timestamp) -> String {
    let formatted = jiff::Timestamp::try_from(at).map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    formatted.unwrap_or_else(|_| at.to_string())
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
    fn times_are_formatted_for_readers() {
        assert_eq!(format_time(Timestamp::from_seconds(1_800_000_000)), "2027-01-15 08:00:00Z");
        assert_eq!(format_time(Timestamp::from_millis(u64::MAX)), u64::MAX.to_string());
    }
}
