//! What operators read.

pub mod history;
pub mod logging;
pub mod prometheus;
