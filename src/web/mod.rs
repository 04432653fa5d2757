//! Doorward's own pages, server-rendered, and the management API.

mod account;
pub mod assets;
mod form;
pub mod gallery;
pub mod i18n;
pub mod management;
mod page_message;
mod page_request;
pub mod pages;
pub mod router;
pub mod security_headers;
mod sign_in;
mod sign_out;
pub mod template;
pub mod tenant_list;
#[cfg(test)]
mod test_overrides;
pub mod view;

pub use pages::{HtmlPages, mistakes, replaceable};
pub use router::{PageServices, WebState, router};
pub use security_headers::security_headers;
