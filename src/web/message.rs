//! What a page says: keys of its texts, what fills them, and the ways out of it.

use fluent_bundle::FluentArgs;

use crate::domain::page::Page;

/// A path or an http(s) address: what a link of ours may lead to, and nothing that runs.
pub fn is_web_address(written: &str) -> bool {
    ["/", "https://", "http://"].iter().any(|start| written.starts_with(start))
}

/// The ways out of a page. The first one is the primary action.
pub enum Action<'a> {
    Retry,
    SignIn(&'a str),
    SignInAgain(&'a str),
    ChooseTenant,
    Home,
}

impl Action<'_> {
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Retry => "action-retry",
            Self::SignIn(_) => "action-sign-in",
            Self::SignInAgain(_) => "action-sign-in-again",
            Self::ChooseTenant => "action-choose-tenant",
            Self::Home => "action-home",
        }
    }
}

/// A page taken apart: keys of its texts, and what fills them.
pub struct Message<'a> {
    pub key: &'static str,
    pub sign: &'static str,
    pub status: Option<u16>,
    pub arguments: FluentArgs<'a>,
    /// Keys; empty means `<key>-remedy`.
    pub remedies: Vec<&'static str>,
    pub facts_label: Option<&'static str>,
    pub facts: Vec<&'a str>,
    pub actions: Vec<Action<'a>>,
}

impl<'a> Message<'a> {
    pub fn new(key: &'static str, sign: &'static str) -> Self {
        Self {
            key,
            sign,
            status: None,
            arguments: FluentArgs::new(),
            remedies: Vec::new(),
            facts_label: None,
            facts: Vec::new(),
            actions: Vec::new(),
        }
    }

    pub fn with_home(mut self) -> Self {
        self.actions.push(Action::Home);
        self
    }

    fn with(mut self, name: &'static str, value: &'a str) -> Self {
        self.arguments.set(name, value);
        self
    }

    fn actions(mut self, actions: impl IntoIterator<Item = Action<'a>>) -> Self {
        self.actions.extend(actions);
        self
    }

    fn facts(mut self, label: &'static str, facts: impl IntoIterator<Item = &'a str>) -> Self {
        self.facts_label = Some(label);
        self.facts.extend(facts);
        self
    }

    pub fn of(page: &'a Page) -> Self {
        let mut message = match page {
            Page::BadRequest { detail } => Self::new("bad-request", "warning")
                .facts("bad-request-reason", [*detail])
                .actions([Action::Home]),
            Page::TenantConflict { first, second } => Self::new("tenant-conflict", "fork")
                .with("first", first.tenant.as_str())
                .with("firstPlace", first.place.as_str())
                .with("second", second.tenant.as_str())
                .with("secondPlace", second.place.as_str())
                .actions([Action::ChooseTenant, Action::Home]),
            Page::UnknownTenant { tenant } => Self::new("unknown-tenant", "search")
                .with("tenant", tenant)
                .actions([Action::ChooseTenant, Action::Home]),
            Page::SignInNeeded { sign_in_url } => {
                let url = sign_in_url.as_deref().filter(|url| is_web_address(url));
                let mut message = Self::new("sign-in", "lock").actions(url.map(Action::SignIn)).with_home();
                if url.is_none() {
                    message.remedies.push("sign-in-unset-remedy");
                }
                message
            }
            Page::SignInLoop { sign_in_url } => {
                let url = Some(sign_in_url.as_str()).filter(|url| is_web_address(url));
                let mut message =
                    Self::new("sign-in-loop", "loop").actions(url.map(Action::SignIn)).with_home();
                message.remedies.extend([
                    "sign-in-loop-remedy-cookies",
                    "sign-in-loop-remedy-account",
                    "sign-in-loop-remedy-operator",
                ]);
                message
            }
            Page::Forbidden { missing } => Self::new("forbidden", "lock")
                .facts("forbidden-missing", missing.iter().map(String::as_str))
                .actions([Action::Home]),
            Page::TokenRefused { reason } => Self::new("token-refused", "lock")
                .facts("token-refused-reason", [reason.as_str()])
                .actions([Action::Retry, Action::Home]),
            Page::ForeignOrigin => Self::new("foreign-origin", "fork").actions([Action::Home]),
            Page::PortalDown => Self::new("portal-down", "plug").actions([Action::Retry, Action::Home]),
            Page::PortalSlow => Self::new("portal-slow", "clock").actions([Action::Retry, Action::Home]),
            Page::Unavailable => Self::new("unavailable", "clock").actions([Action::Retry, Action::Home]),
            Page::Overloaded => Self::new("overloaded", "clock").actions([Action::Retry, Action::Home]),
            Page::TooManyRequests => {
                Self::new("too-many-requests", "clock").actions([Action::Retry, Action::Home])
            }
            // the same address again would be what a portal's form is sent to, which is no page
            Page::SignInRefused => Self::new("sign-in-refused", "lock").actions([Action::Home]),
            Page::NotFound => Self::new("not-found", "search").actions([Action::Home]),
            Page::SignedOut { sign_in_url } => {
                Self::new("signed-out", "check").actions([Action::SignInAgain(sign_in_url), Action::Home])
            }
            Page::ForeignForm => Self::new("foreign-form", "fork").actions([Action::Retry, Action::Home]),
            Page::StaleForm => Self::new("stale-form", "clock").actions([Action::Retry, Action::Home]),
            Page::BadForm => Self::new("bad-form", "warning").actions([Action::Retry, Action::Home]),
        };
        message.status = Some(page.status()).filter(|status| *status >= 400);
        message
    }
}
