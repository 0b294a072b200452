//! Tracks the difference between X's clock and this machine's. X refuses a signature whose time is some minutes off
//! with the same error as a revoked key, and reports the end of its rate limits by its own clock. A machine with a
//! wrong clock must not look like revoked keys. Every answer has X's time in `Date`.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use log::{info, warn};

use crate::http_client::Answer;

/// The difference that is ignored: an answer takes time to arrive, and `Date` has whole seconds.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// How far X's clock is ahead of this machine's. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct XClock(Arc<AtomicI64>);

#[cfg(test)]
impl XClock {
    /// A clock that is off by this many seconds.
    pub(super) fn off_by(seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seconds)))
    }
}

impl XClock {
    /// X's time.
    pub fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.0.load(Ordering::Relaxed));
        Timestamp::now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// Updates the difference from an answer. Returns whether it changed.
    pub fn learn(&self, answer: &Answer) -> bool {
        let ahead = ahead(answer);
        let before = SignedDuration::from_secs(self.0.load(Ordering::Relaxed));
        if (ahead - before).abs() < TOLERANCE {
            return false;
        }
        self.0.store(ahead.as_secs(), Ordering::Relaxed);
        if ahead.is_zero() {
            info!("clock skew resolved");
        } else {
            let (by, how) = (ahead.abs(), if ahead.is_positive() { "behind" } else { "ahead of" });
            warn!(offset:% = format_args!("{by:#}"), direction = how; "clock skew detected");
        }
        true
    }
}

/// How far X's clock was ahead of this machine's when it answered; zero if they agree or the answer has no date.
pub fn ahead(answer: &Answer) -> SignedDuration {
    let theirs = answer.header("date").and_then(|date| rfc2822::parse(date).ok());
    let ahead = theirs.map(|theirs| theirs.timestamp().duration_since(Timestamp::now())).unwrap_or_default();
    if ahead.abs() < TOLERANCE { SignedDuration::ZERO } else { SignedDuration::from_secs(ahead.as_secs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(date: &str) -> Answer {
        Answer::made_up(401, ("date", date), "")
    }

    #[test]
    fn clock_skew_is_reported_once_and_again_when_it_is_fixed() {
        let clock = XClock::default();
        let of = |ahead: i64| {
            let moment = Timestamp::now() + SignedDuration::from_secs(ahead);
            answer(&rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap())
        };
        assert!(!clock.learn(&of(2)) && !clock.learn(&answer("yesterday")));
        assert!(clock.learn(&of(3600)) && !clock.learn(&of(3601)));
        let off = clock.now().duration_since(Timestamp::now()).as_secs();
        assert!((3595..=3605).contains(&off), "{off}");
        assert!(clock.learn(&of(0)) && clock.now() <= Timestamp::now());
        assert!(clock.learn(&of(-90)));
    }
}
