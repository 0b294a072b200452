//! What operators read: the log, the metrics and their history.

pub mod digest;
pub mod events;
pub mod history;
pub mod logging;
pub mod outside;
pub mod prometheus;
