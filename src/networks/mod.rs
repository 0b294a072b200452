//! The networks that posts come from and translations go to, one folder each.

pub mod download;
pub(crate) mod sniff;
pub mod x;
