//! Decides when a post may be published on a target: not before its delay has passed, and not in quiet hours. This is
//! arithmetic that reads no clock. It says the same to the pipeline, which waits, and to people, who want to know until
//! when.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use crate::quiet_hours::{QuietHours, Stretch};

/// When a target publishes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    /// The hours in which it publishes nothing.
    pub quiet: Option<QuietHours>,
    /// How long after it was written a post is published at the earliest.
    pub delay: Duration,
}

/// What a post waits for that is not published yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Its target's delay.
    Delay,
    /// The end of its target's quiet hours.
    QuietHours,
}

impl Wait {
    /// Its name in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::QuietHours => "quiet hours",
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Schedule {
    /// Whether it makes no post wait, ever.
    pub fn is_always_open(&self) -> bool {
        self.quiet.is_none() && self.delay.is_zero()
    }

    /// The quiet time that `now` is in; `None` if the target may publish.
    pub fn quiet_at(&self, now: Timestamp) -> Option<Stretch> {
        self.quiet.as_ref()?.at(now)
    }

    /// When the delay of a post ends that was written at this time.
    pub fn delayed_until(&self, written_at: Timestamp) -> Timestamp {
        written_at.saturating_add(self.delay).unwrap_or(Timestamp::MAX)
    }

    /// What a post waits for at `from`, and the first moment at which it may be published; `None` if that is `from`.
    pub fn next(&self, written_at: Timestamp, from: Timestamp) -> Option<(Timestamp, Wait)> {
        let delayed = self.delayed_until(written_at);
        if let Some(Stretch { until, .. }) = self.quiet_at(delayed.max(from)) {
            return Some((until, Wait::QuietHours));
        }
        (delayed > from).then_some((delayed, Wait::Delay))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(minutes: u64) -> Schedule {
        let range = "22:00-07:00".parse().unwrap();
        let quiet = Some(QuietHours::new(vec![range], TimeZone::UTC).unwrap());
        Schedule { quiet, delay: Duration::from_mins(minutes) }
    }

    #[test]
    fn a_target_without_a_schedule_publishes_at_once() {
        assert_eq!(Schedule::default().next(at("2026-11-28T10:00:00Z"), at("2026-11-28T10:00:00Z")), None);
    }

    #[test]
    fn a_post_waits_for_its_delay_and_then_for_the_end_of_quiet_hours() {
        let next = |written, from| schedule(10).next(at(written), at(from));
        let ten = at("2026-11-28T10:10:00Z");
        assert_eq!(next("2026-11-28T10:00:00Z", "2026-11-28T10:00:00Z"), Some((ten, Wait::Delay)));
        assert_eq!(next("2026-11-28T10:00:00Z", "2026-11-28T10:10:00Z"), None);
        let morning = at("2026-11-29T07:00:00Z");
        for (written, from) in [
            ("2026-11-28T21:55:00Z", "2026-11-28T21:56:00Z"),
            ("2026-11-28T21:55:00Z", "2026-11-28T23:00:00Z"),
            ("2026-11-20T21:55:00Z", "2026-11-29T06:59:59Z"),
        ] {
            assert_eq!(next(written, from), Some((morning, Wait::QuietHours)), "{written}");
        }
        let late = at("2026-11-29T07:05:00Z");
        assert_eq!(next("2026-11-29T06:55:00Z", "2026-11-29T06:56:00Z"), Some((late, Wait::Delay)));
    }

    #[test]
    fn a_delay_beyond_the_calendar_never_ends() {
        let schedule = Schedule { delay: Duration::MAX, ..Schedule::default() };
        assert_eq!(schedule.delayed_until(Timestamp::UNIX_EPOCH), Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn nothing_waits_any_more_at_the_moment_that_it_waits_for(minutes in 0_u64..2000, written in 0_i64..200_000, later in 0_i64..200_000) {
            let schedule = schedule(minutes);
            let written = Timestamp::from_second(1_790_000_000 + written).unwrap();
            let from = Timestamp::from_second(1_790_000_000 + later).unwrap();
            if let Some((moment, _)) = schedule.next(written, from) {
                prop_assert!(moment > from);
                prop_assert_eq!(schedule.next(written, moment), None);
            } else {
                prop_assert!(schedule.delayed_until(written) <= from && schedule.quiet_at(from).is_none());
            }
        }
    }
}
