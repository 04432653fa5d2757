//! Who is signed in with this browser: the cookie that names a session, the session in the store, and the memory that
//! spares the store every request but the first.

pub mod cookie;
pub mod csrf;
mod live;
mod memory;
mod news;
mod open;
mod seal;
mod sessions;

pub use self::{
    cookie::{Cookie, CookieSecret},
    live::Live,
    open::Open,
    seal::Seal,
    sessions::{Begin, NotBegun, Sessions, Unavailable, hash_of},
};
