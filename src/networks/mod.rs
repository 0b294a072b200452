//! The networks that posts come from and translations go to, one folder each.

pub mod x;
