//! How long to wait before trying again: exponential with full jitter, so that many jobs that failed together do not
//! come back together. The form is “full jitter” of the AWS Architecture Blog, *Exponential Backoff And Jitter* (2015).

use std::time::Duration;

/// The bounds of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest first wait.
    pub base: Duration,
    /// The longest wait at all.
    pub max: Duration,
}

impl Backoff {
    /// The longest wait before the try after `attempt` (from 1) failed ones: `base`, doubled each time, up to `max`.
    pub fn ceiling(self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }

    /// A wait for the try after `attempt` failed ones; `random` is uniform in 0..1.
    pub fn wait(self, attempt: u32, random: f64) -> Duration {
        self.ceiling(attempt).mul_f64(random.clamp(0.0, 1.0))
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
}
