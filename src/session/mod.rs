//! Browser sessions: the cookie with the session id, the session in the store, and the session cache, which
//! saves the store access of all requests but the first.

mod active_session;
mod change_feed_health;
pub mod cookie;
mod cookie_signer;
pub mod csrf;
mod open_connections;
mod session_cache;
mod session_service;

pub use self::{
    active_session::ActiveSession,
    cookie::{CookieSecret, OwnCookie},
    cookie_signer::CookieSigner,
    session_service::{BeginSessionError, NewSession, SessionService, SessionsUnavailable, hash_of},
};
