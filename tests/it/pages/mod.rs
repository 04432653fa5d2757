//! The pages of the proxy in a browser with cookies.

mod account;
mod own_pages;
mod sign_in;
