//! Computes how long to wait before a retry: exponential with full jitter, so that many jobs that failed together are
//! not retried together. The formula is “full jitter” of the AWS Architecture Blog, *Exponential Backoff And Jitter*
//! (2015).

use std::time::Duration;

/// The longest pause that a service may ask for. A rate limit until the year 2100 is a mistake; after a day, one call
/// finds out.
pub const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// The bounds of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the first retry.
    pub base: Duration,
    /// The longest wait before any retry.
    pub max: Duration,
}

impl Backoff {
    /// The longest wait after `attempt` failures (counted from 1): `base`, doubled each time, up to `max`.
    pub fn ceiling(self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }

    /// A wait after `attempt` failures; `random` is uniform in 0..1.
    pub fn wait(self, attempt: u32, random: f64) -> Duration {
        self.ceiling(attempt).mul_f64(random.clamp(0.0, 1.0))
    }

    /// A wait of at least half the ceiling, for a single caller that would otherwise retry too fast; `random` is
    /// uniform in 0..1.
    pub fn growing_wait(self, attempt: u32, random: f64) -> Duration {
        self.ceiling(attempt) / 2 + self.wait(attempt, random) / 2
    }

    /// How long to wait after `attempt` failures if the service may have asked for a pause of its own. Services name
    /// times in the past and in the next century: the pause is never shorter than [`Backoff::growing_wait`] and never
    /// longer than [`LONGEST_PAUSE`].
    pub fn pause(self, attempt: u32, random: f64, asked: Option<Duration>) -> Duration {
        asked.unwrap_or_default().max(self.growing_wait(attempt, random)).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(1) };
        let ceilings: Vec<u64> = [1, 2, 3, 7, 500].map(|n| backoff.ceiling(n).as_secs()).into();
        assert_eq!(ceilings, [1, 2, 4, 60, 60]);
        assert_eq!(backoff.wait(3, 0.5), Duration::from_secs(2));
        assert_eq!(backoff.wait(3, f64::NAN.max(0.0)), Duration::ZERO);
    }

    #[test]
    fn a_pause_that_a_service_asks_for_is_at_least_the_backoff_and_at_most_a_day() {
        let backoff = Backoff { base: Duration::from_secs(2), max: Duration::from_mins(1) };
        let pause = |attempt, asked| backoff.pause(attempt, 0.0, asked).as_secs();
        assert_eq!(pause(1, None), 1);
        assert_eq!(pause(1, Some(Duration::ZERO)), 1);
        assert_eq!(pause(4, Some(Duration::ZERO)), 8);
        assert_eq!(pause(4, Some(Duration::from_secs(20))), 20);
        assert_eq!(pause(500, Some(Duration::from_secs(20))), 30);
        assert_eq!(pause(1, Some(Duration::from_hours(24 * 365 * 73))), 24 * 3600);
    }
}
