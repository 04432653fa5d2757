//! oauth2-proxy's configuration file (`oauth2-proxy.cfg`), by the option names of its documentation.

mod identity;
mod listeners;
mod requests;
mod upstreams;

use super::{
    FILES_OF_EVERY_SITE, OFF, deployment_draft::DeploymentDraft, note_empty_values,
    source_settings::SourceSettings,
};

/// Options without a counterpart that need nothing.
const NOTED: &[(&str, &str)] = &[
    ("approval_prompt", "part of the sign-in at the provider"),
    ("auth_", "sign-ins are in the log and the audit log: `log.audit`"),
    ("cookie_csrf_", "forms and cookies of Doorward need no key for this"),
    ("cookie_domains", "the session cookie belongs to one host"),
    ("cookie_httponly", "the session cookie is always HttpOnly"),
    ("cookie_name", "the session cookie has a name of its own, with `__Host-` over HTTPS"),
    ("cookie_path", "the session cookie has the path /"),
    ("cookie_refresh", "a session is prolonged while it is used: `session.idle_timeout`"),
    ("cookie_samesite", "the session cookie is SameSite=Lax"),
    ("cookie_secret", "the session cookie is a random name and needs no key"),
    ("cookie_secure", "the session cookie is Secure over HTTPS"),
    ("display_htpasswd_form", "Doorward's sign-in page has this form"),
    ("encode_state", "part of the sign-in at the provider"),
    ("errors_to_info_log", "the log is on standard error: `log.level`"),
    ("exclude_logging_path", "the access log has every request: `log.access`"),
    ("flush_interval", "answers are forwarded as they arrive"),
    ("force_json_errors", "API clients get application/problem+json"),
    ("logging_", "files of logs are rotated by logrotate: `log.access`"),
    ("ping_", "the probes are on the private port: `admin.listen`"),
    ("prompt", "part of the sign-in at the provider"),
    ("provider_display_name", "Doorward does not send browsers to the provider"),
    ("proxy_prefix", "Doorward's own pages are below /.doorward/"),
    ("ready_path", "the probes are on the private port: `admin.listen`"),
    ("redis_", "sessions are in the store: `accounts.store_url`"),
    ("request_id_header", "X-Request-Id"),
    ("request_logging_format", "the access log is JSON"),
    ("session_", "sessions are in the store: `accounts.store_url`"),
    ("skip_provider_button", "Doorward does not send browsers to the provider"),
    ("silence_ping_logging", "the probes are on the private port: `admin.listen`"),
    ("standard_", "the log is on standard error: `log.level`"),
    ("whitelist_domains", "after sign-in browsers go back to their own host only"),
];

/// Options that the operator has to decide about.
const LEFT: &[(&str, &str)] = &[
    ("banner", "see docs/guides/pages.md for pages of your own"),
    ("basic_auth_password", "Doorward sends no HTTP Basic to the portal"),
    ("custom_", "see docs/guides/pages.md for pages of your own"),
    ("footer", "see docs/guides/pages.md for pages of your own"),
    ("insecure_", "not taken over: it weakens the verification of tokens"),
    ("pass_access_token", "sessions of Doorward have no access token to pass on"),
    (
        "pass_authorization_header",
        "sessions have no token; `access.forward_token` forwards one that a request brings",
    ),
    (
        "set_authorization_header",
        "sessions have no token; `access.forward_token` forwards one that a request brings",
    ),
    ("ssl_insecure_skip_verify", "not taken over: it switches the verification of certificates off"),
    (
        "ssl_upstream_insecure_skip_verify",
        "not taken over: trust the portal's certificate with `ca_file` of `[[portal.upstream]]`",
    ),
    ("trusted_ips", "Doorward exempts no network from sign-in"),
    ("tls_", "Doorward's TLS has the secure versions and ciphers only"),
];

/// Input of the translation beside the file.
#[derive(Default)]
pub struct ProxyContext<'a> {
    /// The portal, where the operator names one.
    pub upstream: Option<&'a str>,
    /// The text of `htpasswd_file`, where it can be read.
    pub htpasswd: Option<String>,
}

/// Returns the accounts as lines for `doorward user import`, if there are any.
pub fn translate(
    source: &mut SourceSettings,
    context: &ProxyContext<'_>,
    draft: &mut DeploymentDraft,
) -> Option<String> {
    note_empty_values(source, draft);
    closed_portal(draft);
    listeners::translate(source, draft);
    upstreams::translate(source, context.upstream, draft);
    sessions(source, draft);
    requests::translate(source, draft);
    let users = identity::translate(source, context, draft);
    for key in source.remaining() {
        if source.text(&key).as_deref() == Some("false") {
            draft.noted(&key, OFF);
            continue;
        }
        let by_name = |list: &[(&str, &'static str)]| {
            list.iter()
                .find(|(name, _)| key == *name || (name.ends_with('_') && key.starts_with(name)))
                .map(|(_, text)| *text)
        };
        match (by_name(NOTED), by_name(LEFT)) {
            (Some(text), _) => draft.noted(&key, text),
            (None, Some(text)) => draft.left(&key, text),
            (None, None) => draft.left(&key, "Doorward has no setting for it"),
        }
    }
    users
}

/// Everything needs a user, as in oauth2-proxy; users sign in with accounts of Doorward.
fn closed_portal(draft: &mut DeploymentDraft) {
    draft.add_default("apim.devportal.enable_anonymous_mode", false);
    draft.add_default("portal.profile", "generic");
    draft.noted("the portal", FILES_OF_EVERY_SITE);
    draft.add_default("accounts.enabled", true);
    draft.add_default("account_lock.enabled", true);
    draft.comment(
        "accounts",
        "Doorward does not send browsers to an identity provider: users sign in with accounts of its own\n\
         (`doorward user add`, `doorward user import`), programs with tokens of an [[issuer]].",
    );
}

fn sessions(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    match source.take_text("cookie_expire").as_deref() {
        Some("0" | "0s") => draft.left("cookie_expire", "a session has an end: `session.lifetime`"),
        Some(time) => {
            let note = "a session also ends after an hour without use, unless you set `session.idle_timeout`";
            draft.set_with_note("cookie_expire", "session.lifetime", time, note);
        }
        None => draft.add_default("session.lifetime", "168h"),
    }
    match source.take_bool("request_logging") {
        Some(false) => {
            draft.set("request_logging", "log.access", "off");
        }
        Some(true) => draft.noted("request_logging", "the access log is on"),
        None => {}
    }
}

#[cfg(test)]
mod tests;
