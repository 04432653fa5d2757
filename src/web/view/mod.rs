//! View models of the forms: handlers fill them in, `HtmlPages` renders them.

mod account;
mod device;
mod form_error;
mod password;
mod relative_time;
mod sign_in;
mod sign_out;

use minijinja::Value;

pub use self::{
    account::{AccountView, SessionRow},
    device::Device,
    form_error::{FormError, Notice},
    password::{ChangeReason, PasswordView, Requirement, RuleLine},
    sign_in::SignInView,
    sign_out::SignOutView,
};
use super::i18n::Locale;

/// A page with a form.
pub trait FormView {
    /// The name of its template.
    fn template(&self) -> &'static str;
    /// The key of its title and heading.
    fn title(&self) -> &'static str;
    /// Why the form was not accepted.
    fn error(&self) -> Option<FormError> {
        None
    }
    /// The action that was just completed.
    fn notice(&self) -> Option<Notice> {
        None
    }
    /// For the template.
    fn values(&self, locale: &Locale) -> Value;
}
