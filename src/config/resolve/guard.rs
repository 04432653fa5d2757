//! `[[guard]]` of deployment.toml and `guards` of a tenant's file: one set of rules

use crate::config::document_context::DocumentContext;
use crate::{
    config::{
        document::KeyPath,
        model::PortalProfile,
        sections::{self, guard::UserNameSource as Written},
        text_form::{AsText, TextForm},
        values::{
            name::NotEmpty,
            route::{LocalAddress, Match, NameFrom},
        },
    },
    domain::guard::{Glob, LoginEndpoint, LoginGuard, LoginNameSource, ResponseSigns},
};

/// Each request is held against every guard.
const MAX_GUARDS: usize = 16;
const DEFAULT_SEARCHED_BYTES: u32 = 16 * 1024;
const MAX_SEARCHED_BYTES: u32 = 1024 * 1024;

pub fn guards(
    raw: Vec<sections::guard::GuardSection>,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Vec<LoginGuard> {
    if raw.len() > MAX_GUARDS {
        scope.mistake(key, format!("more than {MAX_GUARDS} guards"), "write patterns with `*`");
    }
    let guards = raw.into_iter().enumerate();
    guards.filter_map(|(index, raw)| guard(raw, &key.item(index), scope)).collect()
}

fn guard(
    raw: sections::guard::GuardSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<LoginGuard> {
    let matched = scope.required(&key.name("match"), raw.r#match, &format!("write {}", Match::EXPECTED));
    let written = scope.required(
        &key.name("user_in"),
        raw.user_in.map(AsText),
        "write \"form\", \"json\", \"basic\" or \"password-grant\"",
    );
    let has_fields = raw.user_fields.is_some();
    let fields = raw.user_fields.map_or_else(|| vec!["username".to_owned()], texts);
    if fields.is_empty() {
        scope.mistake(&key.name("user_fields"), "no user name would be found", "name a field");
    }
    for (name, statuses) in
        [("failed_status", &raw.failed_status), ("succeeded_status", &raw.succeeded_status)]
    {
        if statuses.iter().flatten().any(|status| !(100..=599).contains(status)) {
            scope.mistake(&key.name(name), "there is no such status", "write numbers from 100 to 599");
        }
    }
    let searched = raw.body_bytes.unwrap_or(DEFAULT_SEARCHED_BYTES);
    if !(1..=MAX_SEARCHED_BYTES).contains(&searched) {
        let remedy = format!("write a number from 1 to {MAX_SEARCHED_BYTES}");
        scope.mistake(&key.name("body_bytes"), format!("{searched} is out of range"), &remedy);
    }
    let user = match written? {
        Written::Form => LoginNameSource::Form(fields),
        Written::Json => LoginNameSource::Json(fields),
        Written::Basic => LoginNameSource::Basic,
        Written::PasswordGrant => LoginNameSource::PasswordGrant,
    };
    if matches!(user, LoginNameSource::Basic | LoginNameSource::PasswordGrant) {
        for (name, is_written) in [
            ("user_fields", has_fields),
            ("locked_redirect", raw.locked_redirect.is_some()),
            ("name_from", raw.name_from.is_some()),
            ("require_name", user == LoginNameSource::Basic && raw.require_name.is_some()),
        ] {
            if is_written {
                scope.mistake(&key.name(name), "this has no effect with this `user_in`", "remove it");
            }
        }
    }
    let mut succeeded = response_signs(raw.succeeded_status, raw.succeeded_redirect, raw.succeeded_body);
    let mut failed = response_signs(raw.failed_status, raw.failed_redirect, raw.failed_body);
    if failed.is_empty() && succeeded.is_empty() {
        match user {
            LoginNameSource::Basic => failed.status = vec![401, 403],
            LoginNameSource::PasswordGrant => succeeded.status = vec![200],
            LoginNameSource::Form(_) | LoginNameSource::Json(_) => {}
        }
    }
    // with `name_from` it is the page that asks for the name
    if failed.is_empty() && succeeded.is_empty() && raw.name_from.is_none() {
        let remedy =
            "write succeeded_redirect, succeeded_status or succeeded_body; or what a wrong one looks like";
        scope.mistake(key, "nothing tells a wrong password from the right one", remedy);
    }
    // a second factor, or a page that the name in the request does not belong to
    let may_be_nameless = raw.name_from.is_some() || raw.require_name == Some(false);
    if matches!(user, LoginNameSource::Form(_) | LoginNameSource::Json(_))
        && may_be_nameless
        && failed.is_empty()
        && !succeeded.is_empty()
    {
        let remedy = "write failed_redirect, failed_status or failed_body beside it";
        let message =
            "attempts without a user name count only where the answer shows a failure, and none is described";
        scope.mistake(key, message, remedy);
    }
    if !failed.body.is_empty() && succeeded.is_empty() {
        let remedy =
            "write what only the right password gets: succeeded_redirect, succeeded_status or succeeded_body";
        let message = "a text alone does not tell a wrong password: the portal may say it in other words";
        scope.mistake(&key.name("failed_body"), message, remedy);
    }
    let Match { methods, pattern } = matched?;
    Some(LoginGuard {
        endpoint: LoginEndpoint { methods, pattern, below_tenants: false },
        name_source: user,
        require_name: raw.require_name.unwrap_or(true),
        name_carrier: raw.name_from.map(|written| written.0.0),
        failure_signs: failed,
        success_signs: succeeded,
        max_searched_bytes: searched as usize,
        locked_redirect: raw.locked_redirect.map(|address| address.0.0),
        is_tenant_defined: false,
    })
}

/// A guard under a portal profile: WSO2 serves each of its endpoints below every tenant and organisation as well.
pub fn for_profile(mut guard: LoginGuard, profile: PortalProfile) -> LoginGuard {
    guard.endpoint.below_tenants = profile == PortalProfile::Wso2Apim;
    guard
}

fn response_signs(
    status: Option<Vec<u16>>,
    redirect: Option<Vec<AsText<NotEmpty>>>,
    body: Option<Vec<AsText<NotEmpty>>>,
) -> ResponseSigns {
    ResponseSigns {
        status: status.unwrap_or_default(),
        redirect: texts(redirect.unwrap_or_default()).into_iter().map(Glob).collect(),
        body: texts(body.unwrap_or_default()),
    }
}

fn texts(written: Vec<AsText<NotEmpty>>) -> Vec<String> {
    written.into_iter().map(|text| text.0.0).collect()
}

/// As it would be written, with every key.
pub fn guard_section(guard: &LoginGuard) -> sections::guard::GuardSection {
    let texts = |texts: &[String]| Some(texts.iter().cloned().map(|text| AsText(NotEmpty(text))).collect());
    let globs = |globs: &[Glob]| Some(globs.iter().map(|glob| AsText(NotEmpty(glob.0.clone()))).collect());
    let LoginEndpoint { methods, pattern, .. } = guard.endpoint.clone();
    let (user_in, user_fields) = match &guard.name_source {
        LoginNameSource::Form(fields) => (Written::Form, texts(fields)),
        LoginNameSource::Json(fields) => (Written::Json, texts(fields)),
        LoginNameSource::Basic => (Written::Basic, None),
        LoginNameSource::PasswordGrant => (Written::PasswordGrant, None),
    };
    sections::guard::GuardSection {
        r#match: Some(AsText(Match { methods, pattern })),
        user_in: Some(user_in),
        user_fields,
        require_name: (guard.name_source != LoginNameSource::Basic).then_some(guard.require_name),
        name_from: guard.name_carrier.clone().map(|carrier| AsText(NameFrom(carrier))),
        failed_status: Some(guard.failure_signs.status.clone()),
        failed_redirect: globs(&guard.failure_signs.redirect),
        failed_body: texts(&guard.failure_signs.body),
        succeeded_status: Some(guard.success_signs.status.clone()),
        succeeded_redirect: globs(&guard.success_signs.redirect),
        succeeded_body: texts(&guard.success_signs.body),
        body_bytes: u32::try_from(guard.max_searched_bytes).ok(),
        locked_redirect: guard.locked_redirect.clone().map(|address| AsText(LocalAddress(address))),
    }
}
