//! The page that asks before it signs out.

use minijinja::{Value, context};

use super::FormView;
use crate::web::i18n::Locale;

#[derive(Debug, Clone, Copy)]
pub struct SignOutView<'a> {
    pub action: &'a str,
    pub csrf: &'a str,
    pub user: &'a str,
}

impl FormView for SignOutView<'_> {
    fn template(&self) -> &'static str {
        "sign-out.html"
    }

    fn title(&self) -> &'static str {
        "sign-out-page-title"
    }

    fn values(&self, _locale: &Locale) -> Value {
        context! { action => self.action, csrf => self.csrf, user => self.user }
    }
}
