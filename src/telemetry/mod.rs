//! What operators read.

pub mod logging;
