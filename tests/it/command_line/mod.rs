//! The commands: usage, exit codes, output, signals.

mod process;
mod usage;
