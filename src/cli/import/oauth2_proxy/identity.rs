//! Accounts, issuers of tokens, and identity headers.

use toml::Value;

use super::ProxyContext;
use crate::cli::import::{
    deployment_draft::DeploymentDraft, is_on, source_settings::SourceSettings, users_file,
};

/// Options that admit only some of the provider's users.
const RESTRICTIONS: &[&str] = &[
    "allowed_groups",
    "allowed_roles",
    "authenticated_emails_file",
    "email_domains",
    "github_org",
    "github_repo",
    "github_team",
    "github_users",
    "gitlab_groups",
    "gitlab_projects",
    "google_groups",
    "keycloak_groups",
    "azure_tenant",
];

/// Options of the browser's sign-in at the provider.
const SIGN_IN_OPTIONS: &[&str] = &[
    "acr_values",
    "backend_logout_url",
    "client_secret",
    "client_secret_file",
    "code_challenge_method",
    "google_admin_email",
    "google_service_account_json",
    "jwt_key",
    "jwt_key_file",
    "login_url",
    "oidc_audience_claims",
    "oidc_email_claim",
    "profile_url",
    "provider",
    "provider_ca_files",
    "pubjwk_url",
    "redeem_url",
    "resource",
    "scope",
    "skip_claims_from_profile_url",
    "skip_oidc_discovery",
    "validate_url",
];

pub fn translate(
    source: &mut SourceSettings,
    context: &ProxyContext<'_>,
    draft: &mut DeploymentDraft,
) -> Option<String> {
    let has_restriction = restrictions(source, draft);
    issuers(source, has_restriction, draft);
    for &key in SIGN_IN_OPTIONS {
        if source.take(key).is_some() {
            draft.left(key, "part of the sign-in at the provider: Doorward is no OpenID Connect client yet");
        }
    }
    identity_headers(source, draft);
    let file = source.take_text("htpasswd_file")?;
    let groups = source.take_list("htpasswd_user_groups").unwrap_or_default();
    let Some(text) = &context.htpasswd else {
        draft.left(
            "htpasswd_file",
            format!("{file} cannot be read here: import it with `doorward user import`"),
        );
        return None;
    };
    let users = users_file::from_htpasswd(text, &groups, draft);
    draft.taken_over("htpasswd_file", format!("as {} for `doorward user import`", users_file::USERS_FILE));
    Some(users)
}

/// Whether oauth2-proxy may have refused some users of the provider.
fn restrictions(source: &mut SourceSettings, draft: &mut DeploymentDraft) -> bool {
    let (mut admits_all, mut has_limit) = (false, false);
    for &key in RESTRICTIONS {
        let Some(values) = source.take_list(key) else {
            // a value of another form is reported with the rest
            has_limit |= source.has(key);
            continue;
        };
        if key == "email_domains" && values.iter().any(|domain| domain == "*") {
            admits_all = true;
            draft.noted(key, "all users of the provider were admitted");
        } else {
            has_limit = true;
            draft.left(
                key,
                "admits only some users of the provider, and Doorward cannot: import the accounts of those users only",
            );
        }
    }
    has_limit || !admits_all
}

fn issuers(source: &mut SourceSettings, has_restriction: bool, draft: &mut DeploymentDraft) {
    let takes_tokens = is_on(source, "skip_jwt_bearer_tokens", draft);
    if takes_tokens {
        draft.noted("skip_jwt_bearer_tokens", "tokens of each `[[issuer]]` are accepted");
    }
    for key in ["client_id", "oidc_jwks_url", "oidc_groups_claim", "user_id_claim", "oidc_extra_audiences"] {
        if source.has(key) {
            draft.noted(key, "part of the `[[issuer]]`, if there is one");
        }
    }
    let client = source.take_text("client_id");
    let jwks_url = source.take_text("oidc_jwks_url");
    let roles_claim = source.take_text("oidc_groups_claim").unwrap_or_else(|| "groups".to_owned());
    let user_claim = source.take_text("user_id_claim");
    let extra_audiences = source.take_list("oidc_extra_audiences").unwrap_or_default();
    let entries = |issuer: &str, audiences: Vec<String>, jwks_url: Option<&str>| {
        let mut entries: Vec<(&str, Value)> =
            vec![("issuer", issuer.into()), ("audiences", audiences.into())];
        match jwks_url {
            Some(url) => entries.push(("jwks_url", url.into())),
            None => entries.push(("discovery", true.into())),
        }
        entries.push(("roles_claim", roles_claim.as_str().into()));
        entries.extend(user_claim.iter().map(|claim| ("user_claim", Value::from(claim.as_str()))));
        entries
    };
    let mut add = |key: &str, entries: Vec<(&str, Value)>| {
        if !takes_tokens {
            let comment = "oauth2-proxy accepted no bearer tokens (skip_jwt_bearer_tokens). To accept those of this issuer:";
            draft.push_disabled("issuer", entries, comment);
            draft.left(
                key,
                "written as a comment: oauth2-proxy accepted no bearer tokens, and Doorward does not send browsers there",
            );
        } else if has_restriction {
            let comment = "oauth2-proxy may have refused some users of this issuer. To accept the tokens of all of them:";
            draft.push_disabled("issuer", entries, comment);
            draft.left(key, "written as a comment: Doorward would accept the tokens of all its users");
        } else {
            draft.push(key, "issuer", entries, "bearer tokens; browsers sign in with accounts");
        }
    };
    if let Some(issuer) = source.take_text("oidc_issuer_url") {
        let audiences: Vec<String> = client.iter().cloned().chain(extra_audiences).collect();
        add("oidc_issuer_url", entries(&issuer, audiences, jwks_url.as_deref()));
    }
    for (index, pair) in source.take_list("extra_jwt_issuers").unwrap_or_default().iter().enumerate() {
        let key = format!("extra_jwt_issuers[{index}]");
        let (issuer, audience) = pair.split_once('=').unwrap_or((pair, ""));
        add(&key, entries(issuer, vec![audience.to_owned()], None));
    }
}

fn identity_headers(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    let user = source.take_bool("pass_user_headers");
    let basic = source.take_bool("pass_basic_auth");
    let profile = if user == Some(false) && basic == Some(false) { "none" } else { "oauth2-proxy" };
    if user.is_some() && basic.is_some() {
        draft.noted("pass_basic_auth", "the portal gets no Authorization header of Doorward");
    }
    if user.is_some() || basic.is_some() {
        let key = if user.is_some() { "pass_user_headers" } else { "pass_basic_auth" };
        draft.set_with_note(key, "access.identity_headers", profile, "without an Authorization header");
    } else {
        draft.add_default("access.identity_headers", profile);
    }
    if is_on(source, "prefer_email_to_user", draft) {
        draft.left(
            "prefer_email_to_user",
            "the portal gets the user name; import accounts whose names are the addresses",
        );
    }
    for key in ["set_xauthrequest", "set_basic_auth"] {
        if is_on(source, key, draft) {
            draft.left(key, "a header for nginx: with Doorward the portal gets `access.identity_headers`");
        }
    }
}
