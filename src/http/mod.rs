//! Header fields, origins and problem details, which several layers read from requests and write to responses.
//!
//! Below the crate root, `http` is the crate of this name and `crate::http` is this module.

pub mod authorization;
pub mod conditional;
pub mod cookie;
pub mod media_type;
pub mod origin;
pub mod problem;
pub mod retry_after;
pub mod www_authenticate;
