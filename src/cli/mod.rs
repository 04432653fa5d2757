//! The command line: one file a command.

pub mod certs;
pub mod check;
pub mod demo;
pub mod init;
