//! What operators read.

pub mod events;
pub mod history;
pub mod logging;
pub mod outside;
pub mod prometheus;
