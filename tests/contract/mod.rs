//! Contract suites: what every adapter of a port must do, whatever it is made of.

pub(crate) mod ledger;
