//! The tenant of a request, and changes of tenants' files.

mod hot_reload;
mod selection;
