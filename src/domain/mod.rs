//! Business rules, pure: no clock, sockets, files or randomness. Callers pass those as arguments.

pub mod access;
pub mod account;
pub mod anonymous;
pub mod audit;
pub mod browser;
pub mod buffer_load;
pub mod causes;
pub mod client;
pub mod colour;
pub mod descriptors;
pub mod fairness;
pub mod governance;
pub mod guard;
pub mod identity;
pub mod lockout;
pub mod management;
pub mod page;
pub mod password;
pub mod path;
pub mod return_address;
pub mod route;
pub mod session;
pub mod tenant;
pub mod time;
pub mod transfer_rate;
pub mod upgrade;
