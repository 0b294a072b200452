//! Everything that a command writes for its user. A reader that has seen enough closes the pipe (`mynah jobs | head`):
//! that is no error, and a command that would continue forever stops. Any other failure to write, such as a full disk,
//! means that the user did not get everything, so the command fails.

use std::{
    fmt,
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::Failure;
use crate::telemetry::outside::{self, printable_lines};

/// Why standard output did not get everything; the first failure counts.
static LOST: OnceLock<Lost> = OnceLock::new();

/// Whether the user asked for output without colors.
static NO_COLOR: AtomicBool = AtomicBool::new(false);

enum Lost {
    /// The reader closed the pipe.
    Closed,
    /// The system's error.
    Failed(String),
}

/// Prints a line for the user.
pub(super) fn print_line(line: impl fmt::Display) {
    record(writeln!(io::stdout(), "{line}"));
}

/// Prints bytes for another program, as they are.
pub(super) fn print_bytes(bytes: &[u8]) {
    record(io::stdout().write_all(bytes));
}

/// Prints JSON for the user, with control characters escaped for terminals.
pub(super) fn print_json(value: &serde_json::Value) {
    print_line(outside::json(value));
}

/// Prints a note for a person at the terminal, beside the output.
pub(super) fn print_note(note: impl fmt::Display) {
    // Nobody may be reading; the command's result does not depend on it.
    let _ = writeln!(io::stderr(), "{note}");
}

/// Prints the error that ends the command. It may repeat text from others.
pub(super) fn print_error(failure: &Failure) {
    print_note(format_args!("mynah: {}", printable_lines(&failure.to_string())));
}

/// Whether the reader has closed the pipe, so that a command without an end should stop.
pub(super) fn is_closed() -> bool {
    matches!(LOST.get(), Some(Lost::Closed))
}

/// Fails if a part of the output could not be written, unless nobody wanted to read it.
pub(super) fn finish() -> Result<(), Failure> {
    record(io::stdout().flush());
    match LOST.get() {
        Some(Lost::Failed(error)) => Err(Failure::Work(format!(
            "cannot write the output: {error}; free space there, or write it elsewhere"
        ))),
        Some(Lost::Closed) | None => Ok(()),
    }
}

fn record(written: io::Result<()>) {
    let Err(error) = written else { return };
    let lost = match error.kind() {
        ErrorKind::BrokenPipe => Lost::Closed,
        _ => Lost::Failed(error.to_string()),
    };
    // Only the first failure counts.
    let _ = LOST.set(lost);
}

/// From now on, prints without colors.
pub(super) fn disable_colors() {
    NO_COLOR.store(true, Ordering::Relaxed);
}

/// Whether to print colors: on a terminal, unless the user asked for none (<https://no-color.org>).
pub(super) fn has_colors() -> bool {
    let asked_for_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !asked_for_none && !NO_COLOR.load(Ordering::Relaxed)
}
