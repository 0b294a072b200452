//! The current time, behind a port so that a test can skip a month in an instant.

use jiff::Timestamp;

/// Provides the current time.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_shows_the_current_time() {
        let before = Timestamp::now();
        let shown = SystemClock.now();
        assert!(before <= shown && shown <= Timestamp::now());
    }
}
