//! The sign-in page.

use minijinja::{Value, context};

use super::{Trouble, View};
use crate::web::i18n::Locale;

#[derive(Debug, Clone, Copy)]
pub struct SignInView<'a> {
    /// Where the form is sent, tenant included.
    pub action: &'a str,
    pub csrf: &'a str,
    /// Where the visitor wanted to go. It lives in the form, so that every tab keeps its own.
    pub to: Option<&'a str>,
    /// The name typed before.
    pub login: &'a str,
    pub trouble: Option<Trouble>,
    /// The tenant may be visited without signing in.
    pub look_around: bool,
    /// There are other tenants to choose from.
    pub choose_tenant: bool,
}

impl View for SignInView<'_> {
    fn template(&self) -> &'static str {
        "sign-in.html"
    }

    fn title(&self) -> &'static str {
        "sign-in-page-title"
    }

    fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    fn values(&self, _locale: &Locale) -> Value {
        context! {
            action => self.action,
            csrf => self.csrf,
            to => self.to,
            login => self.login,
            invalid => matches!(self.trouble, Some(Trouble::Wrong | Trouble::Empty)),
            look_around => self.look_around,
            choose_tenant => self.choose_tenant,
        }
    }
}
