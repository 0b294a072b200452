//! Whatever crashes and whenever, nothing is lost and nothing is published twice. Each module makes the service crash
//! in its own way while the network drops, delays and refuses calls, acts without answering, and misbehaves in every
//! way that the sandbox knows (docs/sandbox.md). The oracle then checks what the accounts show.
//! `CHAOS_PROFILES=nulls,late` turns the other profiles off.
//!
//! The short forms run with the other tests. `make chaos` runs the long forms, and the tests that need failpoints in
//! the binary (the feature `failpoints`). A failure prints its seed; `CHAOS_SEED` repeats it.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[cfg(feature = "failpoints")]
mod crashes;
mod dice;
mod kills;
mod money;
mod networks;
mod oracle;
#[cfg(feature = "failpoints")]
mod panics;
#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod postgres;
mod stalls;
#[path = "../support/mod.rs"]
mod support;

use dice::{seed, size};
