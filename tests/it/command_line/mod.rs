//! The commands: usage, exit codes, output, signals.

mod configuration;
mod import;
mod process;
mod usage;
