//! The commands: usage, exit codes, output, signals.

mod configuration;
mod process;
mod usage;
