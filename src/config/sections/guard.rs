//! `[[guard]]`, and `guards` of a tenant's file

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{
        name::NotEmpty,
        route::{LocalAddress, Match, NameFrom},
    },
};

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
