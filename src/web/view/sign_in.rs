//! The sign-in page.

use minijinja::{Value, context};

use super::{FormError, FormView};
use crate::web::i18n::Locale;

#[derive(Debug, Clone, Copy)]
pub struct SignInView<'a> {
    /// Where the form is sent, tenant included.
    pub action: &'a str,
    pub csrf: &'a str,
    /// The return address. It is kept in the form, so that every tab has its own.
    pub to: Option<&'a str>,
    /// The name typed before.
    pub login: &'a str,
    pub error: Option<FormError>,
    /// The tenant allows anonymous access.
    pub allows_anonymous: bool,
    /// There are other tenants to choose from.
    pub has_other_tenants: bool,
}

impl FormView for SignInView<'_> {
    fn template(&self) -> &'static str {
        "sign-in.html"
    }

    fn title(&self) -> &'static str {
        "sign-in-page-title"
    }

    fn error(&self) -> Option<FormError> {
        self.error
    }

    fn values(&self, _locale: &Locale) -> Value {
        context! {
            action => self.action,
            csrf => self.csrf,
            to => self.to,
            login => self.login,
            invalid => matches!(self.error, Some(FormError::WrongCredentials | FormError::EmptyField)),
            look_around => self.allows_anonymous,
            choose_tenant => self.has_other_tenants,
        }
    }
}
