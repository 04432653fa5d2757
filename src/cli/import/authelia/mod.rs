//! Authelia's `configuration.yml`, by the option names of its documentation.

mod access_rules;
mod passwords;

use std::time::Duration;

use super::{
    FILES_OF_EVERY_SITE, deployment_draft::DeploymentDraft, listen_address, note_empty_values,
    source_settings::SourceSettings,
};
use crate::config::text_form::TextForm;

const NO_REMEMBER_ME: &str = "there is no `remember me`: all sessions last as long as `[session]` says";

/// Input of the translation beside the file.
#[derive(Default)]
pub struct AutheliaContext<'a> {
    /// The portal: Authelia's file does not name it.
    pub upstream: Option<&'a str>,
    /// The host whose rules apply.
    pub domain: Option<&'a str>,
    /// The text of `users_database.yml`, where it can be read.
    pub users: Option<String>,
}

/// The reasons for all other options; with `true` the operator has to decide. The first name that matches applies.
const REST: &[(&str, &str, bool)] = &[
    (
        "authentication_backend.ldap",
        "Doorward reads no LDAP directory: export its users, and import them with `doorward user import`",
        true,
    ),
    (
        "authentication_backend.password_reset",
        "users cannot reset a password themselves yet; `doorward user set-password` does",
        true,
    ),
    ("authentication_backend", "see docs/guides/accounts.md", true),
    ("certificates_directory", "certificates of authorities are named at each connection: `ca_file`", true),
    ("default_2fa_method", "there is no second factor", true),
    ("definitions", "only rules use them", false),
    ("duo_api", "there is no second factor: Doorward has passwords only", true),
    ("identity_providers.oidc", "Doorward is no OpenID Connect provider", true),
    ("identity_validation", "users do not reset passwords themselves yet", false),
    ("log", "the log is on standard error: `log.level`", false),
    ("notifier", "Doorward sends no mail", true),
    ("ntp", "the system sets the clock", false),
    ("privacy_policy", "see docs/guides/pages.md for pages of your own", true),
    ("regulation", "see `[account_lock]`", true),
    ("server.tls", "see `[server.tls]`", true),
    ("server", "see `[server]` and `[limits]`", false),
    ("session.redis", "sessions are in the store: `accounts.store_url`", false),
    ("session.secret", "the session cookie is a random name and needs no key", false),
    ("session", "the session cookie is a random name with `__Host-` and SameSite=Lax, of one host", false),
    (
        "storage",
        "Doorward has a store of its own: `accounts.store_url`; second factors are not taken over",
        false,
    ),
    ("telemetry", "metrics are on the private port: `admin.listen`", false),
    ("theme", "pages follow the browser's light or dark mode: `[branding]`", false),
    ("totp", "there is no second factor: Doorward has passwords only", true),
    ("webauthn", "there is no second factor: Doorward has passwords only", true),
];

/// Returns the accounts as lines for `doorward user import`, if there are any.
pub fn translate(
    source: &mut SourceSettings,
    context: &AutheliaContext<'_>,
    draft: &mut DeploymentDraft,
) -> Option<String> {
    note_empty_values(source, draft);
    draft.add_default("apim.devportal.enable_anonymous_mode", false);
    draft.add_default("portal.profile", "generic");
    draft.noted("the portal", FILES_OF_EVERY_SITE);
    draft.add_default("accounts.enabled", true);
    draft.add_default("access.identity_headers", "authelia");
    draft.push(
        "the portal",
        "portal.upstream",
        vec![("url", context.upstream.unwrap_or("http://127.0.0.1:3000").into())],
        "",
    );
    if context.upstream.is_none() {
        draft.left(
            "the portal",
            "Authelia's file does not name it: write its address to `url` of `[[portal.upstream]]`",
        );
    }
    server(source, draft);
    sessions(source, draft);
    regulation(source, draft);
    passwords::translate_policy(source, draft);
    passwords::translate_hashing(source, draft);
    access_rules::translate(source, context.domain, draft);
    let users = passwords::translate_users(source, context.users.as_deref(), draft);
    for key in source.remaining() {
        match REST.iter().find(|(name, ..)| key == *name || key.starts_with(&format!("{name}."))) {
            Some((_, text, true)) => draft.left(&key, *text),
            Some((_, text, false)) => draft.noted(&key, text),
            None => draft.left(&key, "Doorward has no setting for it"),
        }
    }
    users
}

fn server(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    if let Some(address) = source.take_text("server.address") {
        match listen_address(&address) {
            Some(address) => {
                draft.set("server.address", "server.listen", vec![address]);
            }
            None => draft.left("server.address", "write an IP address and port to `server.listen`"),
        }
    } else {
        draft.add_default("server.listen", vec!["0.0.0.0:9091"]);
    }
    match (source.take_text("server.tls.certificate"), source.take_text("server.tls.key")) {
        (Some(certificate), Some(key)) => {
            draft.set("server.tls.certificate", "server.tls.cert_file", certificate);
            draft.set("server.tls.key", "server.tls.key_file", key);
        }
        (None, None) => {}
        _ => draft.left("server.tls", "TLS needs certificate and key: see `[server.tls]`"),
    }
    if let Some(level) = source.take_text("log.level") {
        draft.set("log.level", "log.level", level);
    }
}

fn sessions(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    let mut cookies = source.take_items("session.cookies");
    if cookies.len() > 1 {
        draft.left("session.cookies", "several domains: the lifetimes of the first one are taken over");
    }
    let mut first = cookies.drain(..).next();
    for (name, key, usual) in
        [("inactivity", "session.idle_timeout", "5m"), ("expiration", "session.lifetime", "1h")]
    {
        let whole = format!("session.{name}");
        let by_cookie = first.as_mut().and_then(|cookie| cookie.take_text(name));
        let of_all = source.take_text(&whole);
        match by_cookie.or(of_all).map(|written| duration(&written)) {
            Some(Some(time)) => {
                draft.set(&whole, key, time);
            }
            Some(None) => draft.left(&whole, format!("no duration that is known: write `{key}`")),
            None => draft.add_default(key, usual),
        }
    }
    if let Some(cookie) = &mut first {
        if let Some(url) = cookie.take_text("authelia_url") {
            draft.noted(
                &format!("session.cookies.authelia_url ({url})"),
                "Doorward's sign-in page is at the portal's own address",
            );
        }
        if cookie.take("remember_me").is_some() {
            draft.left("session.cookies.remember_me", NO_REMEMBER_ME);
        }
        for key in cookie.remaining() {
            draft.noted(&format!("session.cookies.{key}"), "the session cookie belongs to one host");
        }
    }
    if source.take_text("session.remember_me").is_some_and(|time| time != "-1") {
        draft.left("session.remember_me", NO_REMEMBER_ME);
    }
}

fn regulation(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    let attempts = source.take_number("regulation.max_retries");
    if attempts == Some(0) {
        draft.set_with_note(
            "regulation.max_retries",
            "account_lock.enabled",
            false,
            "wrong passwords lock no account",
        );
        return;
    }
    draft.add_default("account_lock.enabled", true);
    match attempts {
        Some(attempts) => {
            draft.set("regulation.max_retries", "account_lock.max_attempts", i64::from(attempts));
        }
        None => draft.add_default("account_lock.max_attempts", 3),
    }
    let find = timed(source, "regulation.find_time", "2m", draft);
    let ban = timed(source, "regulation.ban_time", "5m", draft);
    draft.add_default("account_lock.time", ban.as_str());
    // Authelia's bans are all of one length
    draft.add_default("account_lock.ratio", 1);
    if source.has("regulation.ban_time") {
        draft.taken_over("regulation.ban_time", "as `account_lock.time`, with `account_lock.ratio = 1`");
    }
    let modes = source.take_list("regulation.modes").unwrap_or_default();
    if modes.iter().any(|mode| mode == "ip") {
        draft.add_default("account_lock.address.max_attempts", i64::from(attempts.unwrap_or(3)));
        draft.add_default("account_lock.address.window", find.as_str());
        draft.add_default("account_lock.address.time", ban.as_str());
        draft.taken_over("regulation.modes", "as `[account_lock.address]`; accounts are locked as well");
    } else if !modes.is_empty() {
        draft.noted("regulation.modes", "accounts are locked");
    }
    if source.has("regulation.find_time") {
        draft.noted("regulation.find_time", "wrong passwords for an account count until the next sign-in");
    }
    for key in ["regulation.ban_time", "regulation.find_time"] {
        source.take(key);
    }
}

/// The duration of a key, which stays; or the default.
fn timed(source: &SourceSettings, key: &str, usual: &str, draft: &mut DeploymentDraft) -> String {
    match source.text(key).map(|written| duration(&written)) {
        Some(Some(time)) => time,
        Some(None) => {
            draft.left(key, format!("no duration that is known: {usual} is written"));
            usual.to_owned()
        }
        None => usual.to_owned(),
    }
}

/// The path of the users' file, as it is written.
pub fn users_database(source: &SourceSettings) -> Option<String> {
    source.text("authentication_backend.file.path")
}

/// Authelia's durations: a number of seconds, `5m`, `1M` (a month), `10 minutes`.
fn duration(written: &str) -> Option<String> {
    let written = written.trim();
    let digits = written.len() - written.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = written.split_at(digits);
    let seconds_each = match unit.trim() {
        "" => 1,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        "M" | "month" | "months" => 30 * 86_400,
        "y" | "year" | "years" => 365 * 86_400,
        _ => return Duration::from_text(written).ok().map(|time| time.to_text()),
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(seconds_each)?;
    Some(Duration::from_secs(seconds).to_text())
}

#[cfg(test)]
mod tests;
