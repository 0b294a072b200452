//! Decides when to stop calling a service for a while. A service that has not answered several calls in a row is most
//! likely down: every further call would only wait for its timeout and waste the worker's time. The circuit breaker
//! opens, permits one call after a pause, and closes when that call is answered. The pattern is M. Nygard's, *Release
//! It!* (2007), chapter 5.
//!
//! A refusal is an answer: only silence, or an answer of "not now", opens a breaker.

use std::time::{Duration, Instant};

use crate::backoff::Backoff;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// This many calls in a row without an answer open it; at least 1.
    pub failures: u32,
    /// The pauses before the first trial, the second, and so on.
    pub pause: Backoff,
    /// A trial whose outcome is never recorded counts as lost after this long.
    pub trial: Duration,
}

/// The breaker of one service.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    Open {
        until: Instant,
        /// How often it opened since it was last closed.
        times: u32,
    },
    /// One call is in flight, and decides.
    Trial { since: Instant, times: u32 },
}

/// The outcome of a call, as far as it matters to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// It was answered, whatever the answer was.
    Answered,
    /// No usable answer came.
    Silent,
    /// The answer was "not before this time".
    NotBefore(Instant),
}

impl Breaker {
    /// Creates a closed breaker.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self { policy, state: State::Closed { failures: 0 } }
    }

    /// Whether a call may be made now. If so, the caller must [`Breaker::record`] its outcome.
    ///
    /// # Errors
    /// The time from which to ask again.
    pub fn permit(&mut self, now: Instant) -> Result<(), Instant> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } if now < until => Err(until),
            // A trial normally ends long before it counts as lost, so do not wait until then.
            State::Trial { since, times } if now < since + self.policy.trial => {
                Err((now + self.policy.pause.ceiling(times)).min(since + self.policy.trial))
            }
            State::Open { times, .. } | State::Trial { times, .. } => {
                self.state = State::Trial { since: now, times };
                Ok(())
            }
        }
    }

    /// Records the outcome of a call. `random` is uniform in 0..1.
    pub fn record(&mut self, outcome: CallOutcome, now: Instant, random: f64) {
        self.state = match (self.state, outcome) {
            (_, CallOutcome::Answered) => State::Closed { failures: 0 },
            (State::Closed { .. }, CallOutcome::NotBefore(until)) => self.open_until(until, 1, now, random),
            (State::Trial { times, .. }, CallOutcome::NotBefore(until)) => {
                self.open_until(until, times.saturating_add(1), now, random)
            }
            // A call from before it opened.
            (State::Open { until, times }, CallOutcome::NotBefore(moment)) => {
                State::Open { until: until.max(moment), times }
            }
            (State::Closed { failures }, CallOutcome::Silent) if failures + 1 < self.policy.failures => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. }, CallOutcome::Silent) => self.open(1, now, random),
            (State::Trial { times, .. }, CallOutcome::Silent) => {
                self.open(times.saturating_add(1), now, random)
            }
            // A call from before it opened.
            (open @ State::Open { .. }, CallOutcome::Silent) => open,
        };
    }

    /// Permits a trial at once if it is open: a person may have fixed what the service refused.
    pub fn reconsider(&mut self, now: Instant) {
        if let State::Open { until, times } = self.state {
            self.state = State::Open { until: until.min(now), times };
        }
    }

    /// Whether the service is considered down.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    fn open(&self, times: u32, now: Instant, random: f64) -> State {
        // At least half of the pause: a breaker that opens for no time does nothing.
        self.open_until(now, times, now, random)
    }

    /// Opens until a time that the service named, but at least for the growing pause: services name times in the past.
    fn open_until(&self, until: Instant, times: u32, now: Instant, random: f64) -> State {
        State::Open { until: until.max(now + self.policy.pause.growing_wait(times, random)), times }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, Instant) {
        let pause = Backoff { base: 2 * SECOND, max: 8 * SECOND };
        (Breaker::new(BreakerPolicy { failures: 3, pause, trial: 60 * SECOND }), Instant::now())
    }

    fn silence(breaker: &mut Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.record(CallOutcome::Silent, now, 1.0);
        }
    }

    #[test]
    fn it_waits_for_the_time_that_a_service_names_unless_a_person_wants_a_trial() {
        let (mut breaker, now) = breaker();
        let just_before = now + 9 * 3600 * SECOND;
        let reset = just_before + SECOND;
        breaker.record(CallOutcome::NotBefore(reset), now, 1.0);
        assert_eq!(breaker.permit(just_before), Err(reset));
        assert_eq!(breaker.clone().permit(reset), Ok(()));
        breaker.reconsider(now + SECOND);
        assert_eq!(breaker.permit(now + SECOND), Ok(()));
        breaker.record(CallOutcome::Answered, now + SECOND, 1.0);
        breaker.reconsider(now);
        assert!(!breaker.is_open());
    }

    #[test]
    fn it_opens_after_silence_and_permits_one_call_after_a_pause() {
        let (mut breaker, now) = breaker();
        silence(&mut breaker, 2, now);
        assert_eq!(breaker.permit(now), Ok(()));
        silence(&mut breaker, 1, now);
        assert_eq!(breaker.permit(now), Err(now + 2 * SECOND));
        assert!(breaker.is_open());
        let later = now + 2 * SECOND;
        assert_eq!(breaker.permit(later), Ok(()), "the trial");
        assert_eq!(breaker.permit(later), Err(later + 2 * SECOND), "only one");
        let late = later + 59 * SECOND;
        assert_eq!(breaker.permit(late), Err(later + 60 * SECOND), "until it counts as lost");
        breaker.record(CallOutcome::Answered, later, 1.0);
        assert!(!breaker.is_open());
        assert_eq!(breaker.permit(later), Ok(()));
    }

    #[test]
    fn a_failed_trial_opens_it_for_longer() {
        let (mut breaker, mut now) = breaker();
        silence(&mut breaker, 3, now);
        for pause in [2, 4, 8, 8] {
            assert_eq!(breaker.permit(now), Err(now + pause * SECOND));
            now += pause * SECOND;
            assert_eq!(breaker.permit(now), Ok(()));
            breaker.record(CallOutcome::Silent, now, 1.0);
        }
    }

    #[test]
    fn an_answer_in_between_restarts_the_count() {
        let (mut breaker, now) = breaker();
        for _ in 0..10 {
            silence(&mut breaker, 2, now);
            breaker.record(CallOutcome::Answered, now, 1.0);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_trial_without_an_outcome_is_followed_by_another() {
        let (mut breaker, now) = breaker();
        silence(&mut breaker, 3, now);
        let later = now + 2 * SECOND;
        assert_eq!(breaker.permit(later), Ok(()));
        assert_eq!(breaker.permit(later + 60 * SECOND), Ok(()));
    }

    #[test]
    fn a_time_that_is_past_or_close_makes_no_pause_shorter_than_the_growing_one() {
        let (mut breaker, mut now) = breaker();
        for pause in [2, 4, 8, 8] {
            breaker.record(CallOutcome::NotBefore(now), now, 1.0);
            assert_eq!(breaker.permit(now), Err(now + pause * SECOND));
            // Another call from before, which names a later time and then an earlier one.
            breaker.record(CallOutcome::NotBefore(now + pause * SECOND), now, 1.0);
            breaker.record(CallOutcome::NotBefore(now), now, 1.0);
            now += pause * SECOND;
            assert_eq!(breaker.permit(now), Ok(()));
        }
        breaker.record(CallOutcome::Answered, now, 1.0);
        breaker.record(CallOutcome::NotBefore(now), now, 1.0);
        assert_eq!(breaker.permit(now), Err(now + 2 * SECOND), "an answer ends the growth");
    }

    #[test]
    fn a_service_that_names_a_time_is_called_then() {
        let (mut breaker, now) = breaker();
        breaker.record(CallOutcome::NotBefore(now + 30 * SECOND), now, 1.0);
        assert_eq!(breaker.permit(now), Err(now + 30 * SECOND));
        assert_eq!(breaker.permit(now + 30 * SECOND), Ok(()));
    }
}
