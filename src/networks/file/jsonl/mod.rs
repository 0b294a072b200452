//! An account that is a JSONL file: one message a line, the newest at the end.
//!
//! - `backward` reads lines from the end of a file, whatever its size.
//! - `log` notices that a file was rotated, truncated or replaced, and gives every line a position that only grows.
//! - `read` makes pages of it, and `write` appends to it.

mod backward;
mod log;
mod read;
mod write;

pub(super) use read::JsonlSource;
pub(super) use write::JsonlWriter;
