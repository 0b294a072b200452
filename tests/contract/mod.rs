//! Contract suites: the rules that every adapter of a port must obey.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test binary uses its part; a test that cannot go on fails"
)]

pub(crate) mod destination;
pub(crate) mod leases;
pub(crate) mod ledger;
pub(crate) mod source;
pub(crate) mod trouble;

pub(crate) use trouble::{Trouble, closed_port};
