use std::process::ExitCode;

fn main() -> ExitCode {
    doorward::cli::run(std::env::args_os())
}
