use std::process::ExitCode;

/// Fewer page faults under load than the system's, and on musl much faster (`docs/PERFORMANCE.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // the allocator asks for huge pages, and a sidecar that needs 2 MiB would hold 12; it works without, where this fails
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    doorward::cli::run(std::env::args_os())
}
