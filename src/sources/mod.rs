//! Where posts come from, one file a network.

pub mod x;
