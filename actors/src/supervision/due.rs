//! Periodic checks that a suspended process cannot confuse. After a suspension, the timer fires all the ticks that it
//! missed at once. No actor had time to make progress between them, so they must not count.

use std::time::Duration;

use tokio::time::Instant;

/// When a periodic check last ran.
#[derive(Debug, Default)]
pub(super) struct LastCheck(Option<Instant>);

impl LastCheck {
    /// Whether a check that runs once per `period` is due now; if so, it counts as run.
    pub(super) fn is_due(&mut self, period: Duration) -> bool {
        let now = Instant::now();
        let is_due = self.0.is_none_or(|last| now.duration_since(last) >= period / 2);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn the_ticks_missed_during_a_suspension_count_as_one() {
        tokio::time::pause();
        let (mut last_check, period) = (LastCheck::default(), Duration::from_secs(10));
        let mut counted = 0;
        // The process was suspended before the fourth tick.
        for waits in [10, 10, 10, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 10] {
            tokio::time::advance(Duration::from_secs(waits)).await;
            counted += usize::from(last_check.is_due(period));
        }
        assert_eq!(counted, 6);
    }
}
