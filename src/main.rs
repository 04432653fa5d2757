use std::process::ExitCode;

/// Causes fewer page faults under load than the system allocator, and is much faster on musl (`docs/PERFORMANCE.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // the allocator requests huge pages, and a sidecar that needs 2 MiB would hold 12; failure is harmless
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    doorward::cli::run(std::env::args_os())
}
