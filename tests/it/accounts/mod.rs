//! Accounts, sessions and lockout: rules of the services, and the commands that manage them.

mod administration;
mod command_line;
mod device_cookies;
mod lockout;
mod login_channels;
mod passwords;
mod sessions;
