//! A clock that tests can stop.

use jiff::Timestamp;
use mynah_domain::ports::Clock;
use tokio::time::Instant;

/// The time at which tests begin.
pub(crate) fn noon() -> Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

/// A clock that begins at noon and follows the runtime's clock, which a test may stop.
pub(crate) struct RuntimeClock(Instant);

impl RuntimeClock {
    /// Starts at noon now.
    pub(crate) fn new() -> Self {
        Self::since(Instant::now())
    }

    /// Was at noon at this instant.
    pub(crate) fn since(noon: Instant) -> Self {
        Self(noon)
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        noon() + self.0.elapsed()
    }
}
