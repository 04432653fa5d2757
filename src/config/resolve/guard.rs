//! `[[guard]]` of deployment.toml and `guards` of a tenant's file: one set of rules

use super::Scope;
use crate::{
    config::{
        document::Key,
        model::Profile,
        raw::{
            self,
            guard::UserIn as Written,
            text::{As, Text},
            values::{
                name::NotEmpty,
                route::{LocalAddress, Match, NameFrom},
            },
        },
    },
    domain::guard::{Endpoint, Glob, Guard, Signs, UserIn},
};

/// Each request is held against every guard.
const MOST: usize = 16;
const SEARCHED: u32 = 16 * 1024;
const MOST_SEARCHED: u32 = 1024 * 1024;

pub fn guards(raw: Vec<raw::guard::Guard>, key: &Key, scope: &mut Scope<'_>) -> Vec<Guard> {
    if raw.len() > MOST {
        scope.mistake(key, format!("more than {MOST} guards"), "write patterns with `*`");
    }
    let guards = raw.into_iter().enumerate();
    guards.filter_map(|(index, raw)| guard(raw, &key.item(index), scope)).collect()
}

fn guard(raw: raw::guard::Guard, key: &Key, scope: &mut Scope<'_>) -> Option<Guard> {
    let matched = scope.required(&key.name("match"), raw.r#match, &format!("write {}", Match::WHAT));
    let written = scope.required(
        &key.name("user_in"),
        raw.user_in.map(As),
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
    let searched = raw.body_bytes.unwrap_or(SEARCHED);
    if !(1..=MOST_SEARCHED).contains(&searched) {
        let remedy = format!("write a number from 1 to {MOST_SEARCHED}");
        scope.mistake(&key.name("body_bytes"), format!("{searched} is out of range"), &remedy);
    }
    let user = match written? {
        Written::Form => UserIn::Form(fields),
        Written::Json => UserIn::Json(fields),
        Written::Basic => UserIn::Basic,
        Written::PasswordGrant => UserIn::PasswordGrant,
    };
    if matches!(user, UserIn::Basic | UserIn::PasswordGrant) {
        for (name, is_written) in [
            ("user_fields", has_fields),
            ("locked_redirect", raw.locked_redirect.is_some()),
            ("name_from", raw.name_from.is_some()),
            ("require_name", user == UserIn::Basic && raw.require_name.is_some()),
        ] {
            if is_written {
                scope.mistake(&key.name(name), "this has no effect with this `user_in`", "remove it");
            }
        }
    }
    let mut succeeded = signs(raw.succeeded_status, raw.succeeded_redirect, raw.succeeded_body);
    let mut failed = signs(raw.failed_status, raw.failed_redirect, raw.failed_body);
    if failed.is_empty() && succeeded.is_empty() {
        match user {
            UserIn::Basic => failed.status = vec![401, 403],
            UserIn::PasswordGrant => succeeded.status = vec![200],
            UserIn::Form(_) | UserIn::Json(_) => {}
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
    if matches!(user, UserIn::Form(_) | UserIn::Json(_))
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
    Some(Guard {
        endpoint: Endpoint { methods, pattern, below_tenants: false },
        user,
        require_name: raw.require_name.unwrap_or(true),
        name_from: raw.name_from.map(|written| written.0.0),
        failed,
        succeeded,
        searched: searched as usize,
        locked_redirect: raw.locked_redirect.map(|address| address.0.0),
        of_tenant: false,
    })
}

/// A guard under a portal profile: WSO2 serves each of its endpoints below every tenant and organisation as well.
pub fn of_profile(mut guard: Guard, profile: Profile) -> Guard {
    guard.endpoint.below_tenants = profile == Profile::Wso2Apim;
    guard
}

fn signs(
    status: Option<Vec<u16>>,
    redirect: Option<Vec<As<NotEmpty>>>,
    body: Option<Vec<As<NotEmpty>>>,
) -> Signs {
    Signs {
        status: status.unwrap_or_default(),
        redirect: texts(redirect.unwrap_or_default()).into_iter().map(Glob).collect(),
        body: texts(body.unwrap_or_default()),
    }
}

fn texts(written: Vec<As<NotEmpty>>) -> Vec<String> {
    written.into_iter().map(|text| text.0.0).collect()
}

/// As it would be written, with every key.
pub fn written(guard: &Guard) -> raw::guard::Guard {
    let texts = |texts: &[String]| Some(texts.iter().cloned().map(|text| As(NotEmpty(text))).collect());
    let globs = |globs: &[Glob]| Some(globs.iter().map(|glob| As(NotEmpty(glob.0.clone()))).collect());
    let Endpoint { methods, pattern, .. } = guard.endpoint.clone();
    let (user_in, user_fields) = match &guard.user {
        UserIn::Form(fields) => (Written::Form, texts(fields)),
        UserIn::Json(fields) => (Written::Json, texts(fields)),
        UserIn::Basic => (Written::Basic, None),
        UserIn::PasswordGrant => (Written::PasswordGrant, None),
    };
    raw::guard::Guard {
        r#match: Some(As(Match { methods, pattern })),
        user_in: Some(user_in),
        user_fields,
        require_name: (guard.user != UserIn::Basic).then_some(guard.require_name),
        name_from: guard.name_from.clone().map(|carrier| As(NameFrom(carrier))),
        failed_status: Some(guard.failed.status.clone()),
        failed_redirect: globs(&guard.failed.redirect),
        failed_body: texts(&guard.failed.body),
        succeeded_status: Some(guard.succeeded.status.clone()),
        succeeded_redirect: globs(&guard.succeeded.redirect),
        succeeded_body: texts(&guard.succeeded.body),
        body_bytes: u32::try_from(guard.searched).ok(),
        locked_redirect: guard.locked_redirect.clone().map(|address| As(LocalAddress(address))),
    }
}
