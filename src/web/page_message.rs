//! Content of a message page: text keys, their arguments, and links.

use fluent_bundle::FluentArgs;

use crate::domain::page::StatusPage;

/// A path or an http(s) URL: the only allowed targets of links, so that no link can run a script.
pub fn is_web_address(written: &str) -> bool {
    ["/", "https://", "http://"].iter().any(|start| written.starts_with(start))
}

/// The links of a page. The first one is the primary action.
pub enum PageAction<'a> {
    Retry,
    SignIn(&'a str),
    SignInAgain(&'a str),
    ChooseTenant,
    StartPage,
}

impl PageAction<'_> {
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Retry => "action-retry",
            Self::SignIn(_) => "action-sign-in",
            Self::SignInAgain(_) => "action-sign-in-again",
            Self::ChooseTenant => "action-choose-tenant",
            Self::StartPage => "action-home",
        }
    }
}

/// The content of a page: text keys and their arguments.
pub struct PageMessage<'a> {
    pub key: &'static str,
    pub sign: &'static str,
    pub status: Option<u16>,
    pub arguments: FluentArgs<'a>,
    /// Keys; empty means `<key>-remedy`.
    pub remedies: Vec<&'static str>,
    pub facts_label: Option<&'static str>,
    pub facts: Vec<&'a str>,
    pub actions: Vec<PageAction<'a>>,
}

impl<'a> PageMessage<'a> {
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

    pub fn with_start_page(mut self) -> Self {
        self.actions.push(PageAction::StartPage);
        self
    }

    fn with_argument(mut self, name: &'static str, value: &'a str) -> Self {
        self.arguments.set(name, value);
        self
    }

    fn actions(mut self, actions: impl IntoIterator<Item = PageAction<'a>>) -> Self {
        self.actions.extend(actions);
        self
    }

    fn facts(mut self, label: &'static str, facts: impl IntoIterator<Item = &'a str>) -> Self {
        self.facts_label = Some(label);
        self.facts.extend(facts);
        self
    }

    pub fn for_page(page: &'a StatusPage) -> Self {
        let mut message = match page {
            StatusPage::BadRequest { detail, .. } => Self::new("bad-request", "warning")
                .facts("bad-request-reason", [*detail])
                .actions([PageAction::StartPage]),
            StatusPage::TenantConflict { first, second } => Self::new("tenant-conflict", "fork")
                .with_argument("first", first.tenant.as_str())
                .with_argument("firstPlace", first.source.as_str())
                .with_argument("second", second.tenant.as_str())
                .with_argument("secondPlace", second.source.as_str())
                .actions([PageAction::ChooseTenant, PageAction::StartPage]),
            StatusPage::UnknownTenant { tenant } => Self::new("unknown-tenant", "search")
                .with_argument("tenant", tenant)
                .actions([PageAction::ChooseTenant, PageAction::StartPage]),
            StatusPage::SignInNeeded { sign_in_url } => {
                let url = sign_in_url.as_deref().filter(|url| is_web_address(url));
                let mut message =
                    Self::new("sign-in", "lock").actions(url.map(PageAction::SignIn)).with_start_page();
                if url.is_none() {
                    message.remedies.push("sign-in-unset-remedy");
                }
                message
            }
            StatusPage::SignInLoop { sign_in_url } => {
                let url = Some(sign_in_url.as_str()).filter(|url| is_web_address(url));
                let mut message =
                    Self::new("sign-in-loop", "loop").actions(url.map(PageAction::SignIn)).with_start_page();
                message.remedies.extend([
                    "sign-in-loop-remedy-cookies",
                    "sign-in-loop-remedy-account",
                    "sign-in-loop-remedy-operator",
                ]);
                message
            }
            StatusPage::Forbidden { missing } => Self::new("forbidden", "lock")
                .facts("forbidden-missing", missing.iter().map(String::as_str))
                .actions([PageAction::StartPage]),
            StatusPage::TokenRefused { reason } => Self::new("token-refused", "lock")
                .facts("token-refused-reason", [reason.as_str()])
                .actions([PageAction::Retry, PageAction::StartPage]),
            StatusPage::CrossOriginUpgrade => {
                Self::new("foreign-origin", "fork").actions([PageAction::StartPage])
            }
            StatusPage::PortalUnreachable => {
                Self::new("portal-down", "plug").actions([PageAction::Retry, PageAction::StartPage])
            }
            StatusPage::PortalTimeout => {
                Self::new("portal-slow", "clock").actions([PageAction::Retry, PageAction::StartPage])
            }
            StatusPage::Unavailable => {
                Self::new("unavailable", "clock").actions([PageAction::Retry, PageAction::StartPage])
            }
            StatusPage::Overloaded => {
                Self::new("overloaded", "clock").actions([PageAction::Retry, PageAction::StartPage])
            }
            StatusPage::TooManyRequests => {
                Self::new("too-many-requests", "clock").actions([PageAction::Retry, PageAction::StartPage])
            }
            // the same address again would be what a portal's form is sent to, which is no page
            StatusPage::SignInRefused => {
                Self::new("sign-in-refused", "lock").actions([PageAction::StartPage])
            }
            StatusPage::NotFound => Self::new("not-found", "search").actions([PageAction::StartPage]),
            StatusPage::SignedOut { sign_in_url } => Self::new("signed-out", "check")
                .actions([PageAction::SignInAgain(sign_in_url), PageAction::StartPage]),
            StatusPage::CrossSiteForm => {
                Self::new("foreign-form", "fork").actions([PageAction::Retry, PageAction::StartPage])
            }
            StatusPage::ExpiredForm => {
                Self::new("stale-form", "clock").actions([PageAction::Retry, PageAction::StartPage])
            }
            StatusPage::BadForm => {
                Self::new("bad-form", "warning").actions([PageAction::Retry, PageAction::StartPage])
            }
        };
        message.status = Some(page.status()).filter(|status| *status >= 400);
        message
    }
}
