//! The account page.

use fluent_bundle::FluentArgs;
use minijinja::{Value, context};

use super::{
    Device, FormView, Notice,
    relative_time::{time_ago, time_values},
};
use crate::{domain::time::Timestamp, web::i18n::Locale};

#[derive(Debug, Clone)]
pub struct AccountView<'a> {
    pub csrf: &'a str,
    pub user: &'a str,
    pub name: Option<String>,
    pub email: Option<&'a str>,
    pub password_changed_at: Timestamp,
    /// The one in this browser first.
    pub sessions: Vec<SessionRow>,
    pub end_action: &'a str,
    pub password_href: &'a str,
    pub sign_out_href: &'a str,
    pub notice: Option<Notice>,
    pub now: Timestamp,
}

#[derive(Debug, Clone)]
pub struct SessionRow {
    /// The value that the form sends to end it.
    pub id: String,
    pub device: Device,
    pub address: String,
    pub last_seen_at: Timestamp,
    /// The session of this request.
    pub current_session: bool,
}

impl FormView for AccountView<'_> {
    fn template(&self) -> &'static str {
        "account.html"
    }

    fn title(&self) -> &'static str {
        "account-page-title"
    }

    fn notice(&self) -> Option<Notice> {
        self.notice
    }

    fn values(&self, locale: &Locale) -> Value {
        let facts = [
            ("account-user", Some(self.user)),
            ("account-name", self.name.as_deref()),
            ("account-email", self.email),
        ];
        let facts = facts.into_iter().filter_map(|(key, value)| {
            let value = value.filter(|value| !value.is_empty())?;
            Some(context! { label => locale.plain(key), value => value })
        });
        let sessions = self.sessions.iter().map(|session| {
            context! {
                id => session.id.as_str(),
                device => session.device.label(locale),
                address => session.address.as_str(),
                here => session.current_session,
                seen => time_values(locale, session.last_seen_at, self.now),
            }
        });
        let mut changed = FluentArgs::new();
        changed.set("ago", time_ago(locale, self.password_changed_at, self.now));
        context! {
            csrf => self.csrf,
            facts => facts.collect::<Value>(),
            password_age => locale.text("account-password-changed", &changed),
            sessions => sessions.collect::<Value>(),
            others => self.sessions.iter().filter(|session| !session.current_session).count(),
            end_action => self.end_action,
            password_href => self.password_href,
            sign_out_href => self.sign_out_href,
        }
    }
}
