//! The `mynah` command.

use std::process::ExitCode;

/// Texts are made on one thread and freed on another, all the time: what the system's own allocator takes a tenth of all
/// CPU more for (docs/performance.md). How it is built stands in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    mynah::cli::main()
}
