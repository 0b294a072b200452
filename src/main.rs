//! The `mynah` command.

use std::process::ExitCode;

/// Mynah allocates texts on one thread and frees them on another, which costs 10 % more CPU with the system allocator
/// (docs/performance.md). `.cargo/config.toml` has its build settings.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    mynah::cli::main()
}
