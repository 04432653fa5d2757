//! `doorward user list` and `doorward user show`

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    cli::command_context::{CommandContext, TenantArgs, format_time, print_line},
    domain::{
        account::{Account, PRIMARY},
        lockout::{Counter, claims},
        time::Timestamp,
    },
    store::AccountPage,
};

/// Accounts read at a time.
const PAGE: u32 = 500;

/// The accounts of a tenant, in the order of their names
#[derive(clap::Args)]
pub struct ListOptions {
    #[command(flatten)]
    pub at: TenantArgs,
    /// Only accounts whose user name or e-mail address contains TEXT, in any case
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// List at most this many accounts
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Begin after this account, as the list shows it: the last name of the previous page
    #[arg(long, value_name = "STORE/USER")]
    after: Option<String>,
    /// One JSON document a line
    #[arg(long, conflicts_with = "json")]
    json_lines: bool,
}

impl ListOptions {
    fn page(&self, listed: u32) -> AccountPage {
        let limit = self.limit.map_or(PAGE, |limit| (limit - listed).min(PAGE));
        AccountPage::first(limit).containing(self.filter.as_deref())
    }
}

pub async fn list(context: &CommandContext, options: &ListOptions) -> anyhow::Result<()> {
    let accounts = context.accounts.store.accounts();
    let tenant = &context.policy.tenant;
    let mut page = options.page(0);
    if let Some(after) = &options.after {
        let (store, user) = after.split_once('/').unwrap_or((PRIMARY, after));
        page = page.after(store, user);
    }
    let mut listed = 0_u32;
    loop {
        let part = accounts.list(tenant, &page).await?;
        let now = context.now();
        let counters = context.accounts.administration.lockout_counters(&part).await?;
        for (account, counter) in part.iter().zip(counters) {
            let state = state_label(account, &counter, now);
            if options.json_lines {
                print_line(&summary(account, state).to_string());
            } else if context.json {
                // one document, written as it is read: a list may be long
                print_line(&format!("{} {}", if listed == 0 { '[' } else { ',' }, summary(account, state)));
            } else {
                let email = account.email.as_deref().unwrap_or("-");
                print_line(&format!("{state:<9} {:<30} {email}", qualified_name(account)));
            }
            listed += 1;
        }
        match part.last() {
            Some(last) if options.limit == Some(listed) => {
                let next = AccountPage::first(1).containing(options.filter.as_deref());
                let next = next.after(&last.user_store, &last.username);
                if !accounts.list(tenant, &next).await?.is_empty() {
                    eprintln!("there are more: --after {}", qualified_name(last));
                }
                break;
            }
            Some(last) if part.len() >= page.limit as usize => {
                page = options.page(listed).after(&last.user_store, &last.username);
            }
            _ => break,
        }
    }
    if context.json {
        print_line(if listed == 0 { "[]" } else { "]" });
    }
    // on standard error, so that scripts that count lines are not disturbed
    if listed == 0 && (options.filter.is_some() || options.after.is_some()) {
        eprintln!("no account of tenant {tenant} matches");
    } else if listed == 0 {
        let add = context.command_line(&["user", "add", "NAME", "--tenant", tenant.as_str()]);
        eprintln!("tenant {tenant} has no accounts yet: `{add}` makes one");
    }
    Ok(())
}

fn qualified_name(account: &Account) -> String {
    format!("{}/{}", account.user_store, account.username)
}

fn state_label(account: &Account, counter: &Counter, now: Timestamp) -> &'static str {
    if account.disabled {
        "disabled"
    } else if account.admin_lock.is_some() || counter.locked_until.is_in_force(now) {
        "locked"
    } else if account.must_change_password {
        "expired"
    } else {
        "open"
    }
}

fn summary(account: &Account, state: &str) -> Value {
    json!({
        "id": account.id.as_str(),
        "username": account.username,
        "user_store": account.user_store,
        "email": account.email,
        "roles": account.roles,
        "state": state,
    })
}

pub async fn show(context: &CommandContext, user: &str) -> anyhow::Result<()> {
    let account = context.account(user).await?;
    let now = context.now();
    let counter = context.accounts.administration.lockout_counter(&account).await?;
    let sessions = context.accounts.sessions.list(&account.id, now).await?.len();
    let text = if context.json {
        format!("{:#}", as_json(&account, &counter, sessions, now))
    } else {
        as_text(&account, &counter, sessions, now)
    };
    print_line(text.trim_end());
    Ok(())
}

fn as_json(account: &Account, counter: &Counter, sessions: usize, now: Timestamp) -> Value {
    let claims: Value = claims::identity_claims(account, counter, now)
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)))
        .collect();
    json!({
        "id": account.id.as_str(),
        "tenant": account.tenant,
        "username": account.username,
        "user_store": account.user_store,
        "email": account.email,
        "mobile": account.mobile,
        "given_name": account.given_name,
        "family_name": account.family_name,
        "roles": account.roles,
        "must_change_password": account.must_change_password,
        "created_at": account.created_at.as_millis(),
        "sessions": sessions,
        "other_claims": account.claims,
        "claims": claims,
    })
}

fn as_text(account: &Account, counter: &Counter, sessions: usize, now: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // writing to a string does not fail
        let _ = writeln!(text, "{name:<24} {}", if value.is_empty() { "-" } else { value });
    };
    line("user", &qualified_name(account));
    line("tenant", account.tenant.as_str());
    line("id", account.id.as_str());
    line("e-mail", account.email.as_deref().unwrap_or_default());
    line("mobile", account.mobile.as_deref().unwrap_or_default());
    let full: Vec<_> =
        [&account.given_name, &account.family_name].into_iter().flatten().map(String::as_str).collect();
    line("name", &full.join(" "));
    line("roles", &account.roles.join(", "));
    line("created", &format_time(account.created_at));
    line("must change password", if account.must_change_password { "yes" } else { "no" });
    line("sessions", &sessions.to_string());
    for (name, value) in &account.claims {
        line(name, value);
    }
    for (name, value) in claims::identity_claims(account, counter, now) {
        let short = name.strip_prefix(claims::PREFIX).unwrap_or(&name);
        let is_time = short.ends_with("Time") && value != "0";
        let shown = value.parse().ok().filter(|_| is_time).map(|at| format_time(Timestamp::from_millis(at)));
        line(short, shown.as_deref().unwrap_or(&value));
    }
    text
}
