//! Our own pages, server-rendered; and the private port.

pub mod assets;
pub mod gallery;
pub mod i18n;
pub mod pages;
pub mod router;
pub mod security_headers;
pub mod template;
pub mod tenants;
pub mod view;

pub use pages::{HtmlPages, replaceable};
pub use router::{Site, router};
pub use security_headers::security_headers;
