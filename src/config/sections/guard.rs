//! `[[guard]]`, and `guards` of a tenant's file: one set of rules

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::portal::PortalProfile;
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
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

/// A sign-in of the portal's own that Doorward guards against guessing: wrong passwords are counted, and a locked name is
/// refused. `accounts.enabled` gives it a store, `[account_lock]` sets the limits. The password is neither
/// kept nor logged. A body of more than 64 KiB is refused (413), and so is every request in which two programs could read two
/// user names.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct GuardSection {
    /// Which requests sign in: methods (none: all) and a path as in `[[access.route]]`; case, a final `/` and a format
    /// (`.json`) do not count. In the profile `wso2-apim` the same path below `/t/{tenant}` and `/o/{organisation}` counts too.
    /// Write a method only if the portal accepts a sign-in by no other one. A body by `GET`, `HEAD` or `OPTIONS` is refused
    /// (400). Required.
    #[schemars(extend("x-default" = "required"))]
    pub r#match: Option<AsText<Match>>,
    /// Where the user name is: in a field of a `form`, in a member of `json`, in the header of HTTP `basic` (the route must be
    /// `open`, and every path must check the password), or in OAuth2's `password-grant`. Required.
    #[schemars(extend("x-default" = "required", "x-source" = "RFC 7617, RFC 6749 §4.3"))]
    pub user_in: Option<UserNameSource>,
    /// The fields, any of which holds the user name. With `json` also a JSON pointer such as `/login/email`.
    #[schemars(extend("x-default" = "`[\"username\"]` with `form` and `json`", "x-source" = "RFC 6901"))]
    pub user_fields: Option<Vec<AsText<NotEmpty>>>,
    /// Refuse (400) a request that may hold a password but has no readable user name. With `false` it reaches the portal, and
    /// is counted for its portal session and the client's network where the answer shows a failure: for a second factor at the same
    /// address, or the answer of an identity provider. `basic` always has a name.
    #[schemars(extend("x-default" = "`true`, with `form`, `json` and `password-grant`"))]
    pub require_name: Option<bool>,
    /// The portal asks for the name on one page and for the password on the next, and remembers the name by this cookie, field
    /// of the body or parameter of the query: `cookie:sid`, `field:flow`, `query:execution`. An attempt without a name counts
    /// for every name that was given under the same value, for 15 minutes. A guard with `name_from` that describes no answer is
    /// for the page that asks for the name: nothing is counted there. With `form` and `json`.
    #[schemars(extend("x-default" = "none: the name comes with the password"))]
    pub name_from: Option<AsText<NameFrom>>,
    /// The password was right if the answer has one of these statuses. List only what the right password alone gets: such an
    /// answer resets the earlier failures of the same client. Where no success is described, an answer below 400 that is not
    /// a failure releases its own attempt only.
    #[schemars(extend("x-default" = "`[200]` with `password-grant`, otherwise none"))]
    pub succeeded_status: Option<Vec<u16>>,
    /// … or leads to one of these addresses, in which `*` is anything: `/home*`.
    #[schemars(extend("default" = []))]
    pub succeeded_redirect: Option<Vec<AsText<NotEmpty>>>,
    /// … or says one of these texts.
    #[schemars(extend("default" = []))]
    pub succeeded_body: Option<Vec<AsText<NotEmpty>>>,
    /// The password was wrong if the answer has one of these statuses, whatever else it has. With a description of right ones,
    /// everything else is wrong too.
    #[schemars(extend("x-default" = "`[401, 403]` with `basic`, otherwise none"))]
    pub failed_status: Option<Vec<u16>>,
    /// … or leads to one of these addresses.
    #[schemars(extend("default" = []))]
    pub failed_redirect: Option<Vec<AsText<NotEmpty>>>,
    /// … or says one of these texts. Only beside a description of right ones, for a portal that says both in one answer. An
    /// answer that cannot be searched whole (compressed, a part, longer than `body_bytes`) is a wrong one then.
    #[schemars(extend("default" = []))]
    pub failed_body: Option<Vec<AsText<NotEmpty>>>,
    /// How many bytes of an answer are searched for these texts, 1 to 1048576. So that clients cannot alter the text, the request
    /// goes on without `Accept-Encoding`, `Accept-Language`, `Range` and `If-…`.
    #[schemars(extend("default" = 16384))]
    pub body_bytes: Option<u32>,
    /// Where a browser is sent while its name is locked: the portal's own page for a wrong password, so that the two are
    /// indistinguishable. With `form` and `json`.
    #[schemars(extend("x-default" = "a page, or JSON, of Doorward's"))]
    pub locked_redirect: Option<AsText<LocalAddress>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum UserNameSource {
    Form,
    Json,
    Basic,
    PasswordGrant,
}

pub fn guards(written: Vec<GuardSection>, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Vec<LoginGuard> {
    if written.len() > MAX_GUARDS {
        scope.mistake(key, format!("more than {MAX_GUARDS} guards"), "write patterns with `*`");
    }
    let guards = written.into_iter().enumerate();
    guards.filter_map(|(index, section)| section.resolve(&key.item(index), scope)).collect()
}

impl GuardSection {
    fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Option<LoginGuard> {
        let matched = scope.required(&key.name("match"), self.r#match, &format!("write {}", Match::EXPECTED));
        let written = scope.required(
            &key.name("user_in"),
            self.user_in.map(AsText),
            "write \"form\", \"json\", \"basic\" or \"password-grant\"",
        );
        let has_fields = self.user_fields.is_some();
        let fields = self.user_fields.map_or_else(|| vec!["username".to_owned()], NotEmpty::into_texts);
        if fields.is_empty() {
            scope.mistake(&key.name("user_fields"), "no user name would be found", "name a field");
        }
        for (name, statuses) in
            [("failed_status", &self.failed_status), ("succeeded_status", &self.succeeded_status)]
        {
            if statuses.iter().flatten().any(|status| !(100..=599).contains(status)) {
                scope.mistake(&key.name(name), "there is no such status", "write numbers from 100 to 599");
            }
        }
        let searched = scope.bounded(
            &key.name("body_bytes"),
            self.body_bytes,
            DEFAULT_SEARCHED_BYTES,
            1..=MAX_SEARCHED_BYTES,
        );
        let user = match written? {
            UserNameSource::Form => LoginNameSource::Form(fields),
            UserNameSource::Json => LoginNameSource::Json(fields),
            UserNameSource::Basic => LoginNameSource::Basic,
            UserNameSource::PasswordGrant => LoginNameSource::PasswordGrant,
        };
        if matches!(user, LoginNameSource::Basic | LoginNameSource::PasswordGrant) {
            for (name, is_written) in [
                ("user_fields", has_fields),
                ("locked_redirect", self.locked_redirect.is_some()),
                ("name_from", self.name_from.is_some()),
                ("require_name", user == LoginNameSource::Basic && self.require_name.is_some()),
            ] {
                if is_written {
                    scope.mistake(&key.name(name), "this has no effect with this `user_in`", "remove it");
                }
            }
        }
        let mut succeeded =
            response_signs(self.succeeded_status, self.succeeded_redirect, self.succeeded_body);
        let mut failed = response_signs(self.failed_status, self.failed_redirect, self.failed_body);
        if failed.is_empty() && succeeded.is_empty() {
            match user {
                LoginNameSource::Basic => failed.status = vec![401, 403],
                LoginNameSource::PasswordGrant => succeeded.status = vec![200],
                LoginNameSource::Form(_) | LoginNameSource::Json(_) => {}
            }
        }
        // with `name_from` it is the page that asks for the name
        if failed.is_empty() && succeeded.is_empty() && self.name_from.is_none() {
            let remedy = "write succeeded_redirect, succeeded_status or succeeded_body; or what a wrong one looks like";
            scope.mistake(key, "nothing tells a wrong password from the right one", remedy);
        }
        // a second factor, or a page that the name in the request does not belong to
        let may_be_nameless = self.name_from.is_some() || self.require_name == Some(false);
        if matches!(user, LoginNameSource::Form(_) | LoginNameSource::Json(_))
            && may_be_nameless
            && failed.is_empty()
            && !succeeded.is_empty()
        {
            let remedy = "write failed_redirect, failed_status or failed_body beside it";
            let message = "attempts without a user name count only where the answer shows a failure, and none is described";
            scope.mistake(key, message, remedy);
        }
        if !failed.body.is_empty() && succeeded.is_empty() {
            let remedy = "write what only the right password gets: succeeded_redirect, succeeded_status or succeeded_body";
            let message = "a text alone does not tell a wrong password: the portal may say it in other words";
            scope.mistake(&key.name("failed_body"), message, remedy);
        }
        let Match { methods, pattern } = matched?;
        Some(LoginGuard {
            endpoint: LoginEndpoint { methods, pattern, below_tenants: false },
            name_source: user,
            require_name: self.require_name.unwrap_or(true),
            name_carrier: self.name_from.map(|written| written.0.0),
            failure_signs: failed,
            success_signs: succeeded,
            max_searched_bytes: searched as usize,
            locked_redirect: self.locked_redirect.map(|address| address.0.0),
            is_tenant_defined: false,
        })
    }
}

impl From<&LoginGuard> for GuardSection {
    fn from(guard: &LoginGuard) -> Self {
        let texts = |texts: &[String]| Some(NotEmpty::list(texts));
        let globs = |globs: &[Glob]| Some(NotEmpty::list(globs.iter().map(|glob| &glob.0)));
        let LoginEndpoint { methods, pattern, .. } = guard.endpoint.clone();
        let (user_in, user_fields) = match &guard.name_source {
            LoginNameSource::Form(fields) => (UserNameSource::Form, texts(fields)),
            LoginNameSource::Json(fields) => (UserNameSource::Json, texts(fields)),
            LoginNameSource::Basic => (UserNameSource::Basic, None),
            LoginNameSource::PasswordGrant => (UserNameSource::PasswordGrant, None),
        };
        Self {
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
        redirect: NotEmpty::into_texts(redirect.unwrap_or_default()).into_iter().map(Glob).collect(),
        body: NotEmpty::into_texts(body.unwrap_or_default()),
    }
}
