//! How much may be asked: a page or a script that runs wild must not take the ledger's time from the pipeline, and whoever
//! guesses tokens must not guess many.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use leaky_bucket::RateLimiter;

/// The most requests at once after a pause, from everybody; and as many from monitors.
const BURST: usize = 500;

/// The most requests in a second, from everybody.
const A_SECOND: usize = 100;

/// The most wrong tokens from one address within [`WINDOW`].
const WRONG_MOST: u32 = 10;

/// How long wrong tokens are remembered, from the first on.
const WINDOW: Duration = Duration::from_mins(1);

/// The most addresses that are remembered.
const ADDRESSES: usize = 1024;

/// What was asked so far.
pub(super) struct Rates {
    requests: RateLimiter,
    /// What monitors may ask: no flood of other requests uses it up.
    monitors: RateLimiter,
    wrong: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl Rates {
    pub(super) fn new() -> Self {
        let tenth = Duration::from_millis(100);
        let limiter =
            || RateLimiter::builder().max(BURST).initial(BURST).refill(A_SECOND / 10).interval(tenth).build();
        Self { requests: limiter(), monitors: limiter(), wrong: Mutex::default() }
    }

    /// Whether one more request may be answered now.
    pub(super) fn permit(&self) -> bool {
        self.requests.try_acquire(1)
    }

    /// Whether one more question of a monitor may be answered now.
    pub(super) fn permit_monitor(&self) -> bool {
        self.monitors.try_acquire(1)
    }

    /// Whether a token from there may be looked at.
    pub(super) fn may_guess(&self, from: IpAddr, now: Instant) -> bool {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.get(&from).is_none_or(|(times, first)| *times < WRONG_MOST || now - *first >= WINDOW)
    }

    /// A token from there was wrong.
    pub(super) fn guessed_wrong(&self, from: IpAddr, now: Instant) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|_, (_, first)| now - *first < WINDOW);
        if wrong.len() >= ADDRESSES {
            // A crowd that guesses together is not held off by its addresses.
            wrong.clear();
        }
        wrong.entry(from).or_insert((0, now)).0 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guessed_wrong_ten_times_waits_for_the_minute_to_end_and_others_do_not() {
        let rates = Rates::new();
        let (guesser, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let now = Instant::now();
        for _ in 0..WRONG_MOST {
            assert!(rates.may_guess(guesser, now));
            rates.guessed_wrong(guesser, now);
        }
        assert!(!rates.may_guess(guesser, now + WINDOW / 2));
        assert!(rates.may_guess(other, now));
        assert!(rates.may_guess(guesser, now + WINDOW));
        rates.guessed_wrong(guesser, now + WINDOW);
        assert!(rates.may_guess(guesser, now + WINDOW), "the count begins anew");
    }

    #[test]
    fn a_flood_is_answered_up_to_the_burst() {
        let rates = Rates::new();
        let passed = (0..BURST * 2).filter(|_| rates.permit()).count();
        assert!((BURST..BURST + BURST / 2).contains(&passed), "{passed}");
        assert!(rates.permit_monitor(), "monitors are answered all the same");
    }
}
