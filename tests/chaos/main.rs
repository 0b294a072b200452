//! Whatever dies and whenever: nothing is lost and nothing is said twice. Each module makes the service die in its own
//! way while the network drops, delays, refuses, answers nothing after having acted, and is impolite in every way that the
//! sandbox knows (docs/sandbox.md); the oracle then looks at what the accounts show. `CHAOS_PROFILES=nulls,late` leaves the
//! other profiles out.
//!
//! The short forms run with the other tests; `make chaos` runs the long ones, and those that need places to fail in the
//! binary (the feature `failpoints`). The seed is printed on failure, and `CHAOS_SEED` runs it again.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod kills;
mod oracle;
#[cfg(feature = "failpoints")]
mod panics;
#[cfg(feature = "failpoints")]
mod places;
mod stillness;
#[path = "../support/mod.rs"]
mod support;

/// A number from the environment: the long forms are the short ones with larger numbers.
fn size(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    std::env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}
