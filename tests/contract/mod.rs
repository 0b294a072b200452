//! Contract suites: what every adapter of a port must do, whatever it is made of.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub(crate) mod ledger;
