//! What Mynah is about, free of how it runs: no actors, no HTTP, no SQL.
#![warn(missing_docs)]

pub mod language;

pub use language::Language;
