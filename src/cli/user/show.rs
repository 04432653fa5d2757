//! `doorward user list` and `doorward user show`

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    cli::accounts::{Desk, moment, say},
    clock,
    domain::{
        account::Account,
        lockout::{Counter, claims},
    },
    store::Page,
};

/// Accounts read at a time.
const PAGE: u32 = 500;

pub async fn list(desk: Desk) -> anyhow::Result<()> {
    let accounts = desk.doors.store().accounts();
    let tenant = &desk.policy.tenant;
    let mut page = Page::first(PAGE);
    let mut listed = 0_usize;
    loop {
        let part = accounts.list(tenant, &page).await?;
        let now = clock::millis();
        let counters = desk.doors.counters(&part).await?;
        for (account, counter) in part.iter().zip(counters) {
            let state = state(account, &counter, now);
            if desk.json {
                // one document, written as it is read: a list may be long
                say(&format!("{} {}", if listed == 0 { '[' } else { ',' }, in_short(account, state)));
            } else {
                let email = account.email.as_deref().unwrap_or("-");
                say(&format!("{state:<9} {:<30} {email}", name(account)));
            }
            listed += 1;
        }
        match part.last() {
            Some(last) if part.len() >= PAGE as usize => page = Page::following(last, PAGE),
            _ => break,
        }
    }
    if desk.json {
        say(if listed == 0 { "[]" } else { "]" });
    }
    // not among what scripts count
    if listed == 0 {
        let add = desk.command(&["user", "add", "NAME", "--tenant", tenant.as_str()]);
        eprintln!("tenant {tenant} has no accounts yet: `{add}` makes one");
    }
    Ok(())
}

fn name(account: &Account) -> String {
    format!("{}/{}", account.user_store, account.username)
}

fn state(account: &Account, counter: &Counter, now: u64) -> &'static str {
    if account.disabled {
        "disabled"
    } else if account.admin_lock.is_some() || counter.locked_until.in_force(now) {
        "locked"
    } else if account.must_change_password {
        "expired"
    } else {
        "open"
    }
}

fn in_short(account: &Account, state: &str) -> Value {
    json!({
        "id": account.id.as_str(),
        "username": account.username,
        "user_store": account.user_store,
        "email": account.email,
        "roles": account.roles,
        "state": state,
    })
}

pub async fn show(desk: &Desk, user: &str) -> anyhow::Result<()> {
    let account = desk.account(user).await?;
    let now = clock::millis();
    let counter = desk.doors.counter(&account).await?;
    let sessions = desk.doors.sessions_of(&account.id, now).await?.len();
    let text = if desk.json {
        format!("{:#}", as_json(&account, &counter, sessions, now))
    } else {
        as_text(&account, &counter, sessions, now)
    };
    say(text.trim_end());
    Ok(())
}

fn as_json(account: &Account, counter: &Counter, sessions: usize, now: u64) -> Value {
    let claims: Value = claims::view(account, counter, now)
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
        "created_at": account.created_at,
        "sessions": sessions,
        "other_claims": account.claims,
        "claims": claims,
    })
}

fn as_text(account: &Account, counter: &Counter, sessions: usize, now: u64) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // writing to a string does not fail
        let _ = writeln!(text, "{name:<24} {}", if value.is_empty() { "-" } else { value });
    };
    line("user", &name(account));
    line("tenant", account.tenant.as_str());
    line("id", account.id.as_str());
    line("e-mail", account.email.as_deref().unwrap_or_default());
    line("mobile", account.mobile.as_deref().unwrap_or_default());
    let full: Vec<_> =
        [&account.given_name, &account.family_name].into_iter().flatten().map(String::as_str).collect();
    line("name", &full.join(" "));
    line("roles", &account.roles.join(", "));
    line("created", &moment(account.created_at));
    line("must change password", if account.must_change_password { "yes" } else { "no" });
    line("sessions", &sessions.to_string());
    for (name, value) in &account.claims {
        line(name, value);
    }
    for (name, value) in claims::view(account, counter, now) {
        let short = name.strip_prefix(claims::PREFIX).unwrap_or(&name);
        let is_time = short.ends_with("Time") && value != "0";
        let shown = value.parse().ok().filter(|_| is_time).map(moment);
        line(short, shown.as_deref().unwrap_or(&value));
    }
    text
}
