//! Where translations go, one file a network.

pub mod x;
