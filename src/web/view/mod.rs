//! What our forms show, as values: the handlers fill them in, `HtmlPages` turns them into HTML.

mod account;
mod device;
mod moment;
mod password;
mod sign_in;
mod sign_out;
mod trouble;

use minijinja::Value;

pub use self::{
    account::{AccountView, SessionRow},
    device::Device,
    password::{Asked, PasswordView, Reason, RuleLine},
    sign_in::SignInView,
    sign_out::SignOutView,
    trouble::{Notice, Trouble},
};
use super::i18n::Locale;

/// A page with a form.
pub trait View {
    /// The name of its template.
    fn template(&self) -> &'static str;
    /// The key of its title and heading.
    fn title(&self) -> &'static str;
    /// Why the form was not accepted.
    fn trouble(&self) -> Option<Trouble> {
        None
    }
    /// What was done just now.
    fn notice(&self) -> Option<Notice> {
        None
    }
    /// For the template.
    fn values(&self, locale: &Locale) -> Value;
}
