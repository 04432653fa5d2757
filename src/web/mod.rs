//! Our own pages, server-rendered; and the management API.

mod account;
pub mod assets;
mod form;
pub mod gallery;
mod guest;
pub mod i18n;
pub mod management;
mod message;
#[cfg(test)]
mod overrides;
pub mod pages;
pub mod router;
pub mod security_headers;
mod sign_in;
mod sign_out;
pub mod template;
pub mod tenants;
pub mod view;

pub use pages::{HtmlPages, mistakes, replaceable};
pub use router::{Site, router};
pub use security_headers::security_headers;
