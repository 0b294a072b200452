//! Rate limits: a runaway page or script must not take the ledger's time from the pipeline, and nobody may guess many
//! tokens.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use leaky_bucket::RateLimiter;

/// The largest burst of requests from all clients together; monitors have their own.
const BURST: usize = 500;

/// Sustained requests per second from all clients together.
const PER_SECOND: usize = 100;

/// The most wrong tokens from one address within [`WINDOW`].
const MAX_WRONG: u32 = 10;

/// How long to count wrong tokens, from the first on.
const WINDOW: Duration = Duration::from_mins(1);

/// The most addresses to remember.
const MAX_ADDRESSES: usize = 1024;

/// The rate limits and their state.
pub(super) struct Rates {
    requests: RateLimiter,
    /// The limit for monitors, which a flood of other requests cannot use up.
    monitors: RateLimiter,
    wrong: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl Rates {
    pub(super) fn new() -> Self {
        let tenth = Duration::from_millis(100);
        let limiter = || {
            RateLimiter::builder().max(BURST).initial(BURST).refill(PER_SECOND / 10).interval(tenth).build()
        };
        Self { requests: limiter(), monitors: limiter(), wrong: Mutex::default() }
    }

    /// Takes a permit for a request, if there is one.
    pub(super) fn permit(&self) -> bool {
        self.requests.try_acquire(1)
    }

    /// Takes a permit for a monitor's request, if there is one.
    pub(super) fn permit_monitor(&self) -> bool {
        self.monitors.try_acquire(1)
    }

    /// Whether to check a token from this address.
    pub(super) fn may_guess(&self, from: IpAddr, now: Instant) -> bool {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.get(&from).is_none_or(|(times, first)| *times < MAX_WRONG || now - *first >= WINDOW)
    }

    /// Records a wrong token from this address.
    pub(super) fn guessed_wrong(&self, from: IpAddr, now: Instant) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|_, (_, first)| now - *first < WINDOW);
        if wrong.len() >= MAX_ADDRESSES {
            // A limit per address cannot stop so many attackers anyway.
            wrong.clear();
        }
        wrong.entry(from).or_insert((0, now)).0 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_ten_wrong_tokens_must_wait_for_a_minute() {
        let rates = Rates::new();
        let (guesser, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let now = Instant::now();
        for _ in 0..MAX_WRONG {
            assert!(rates.may_guess(guesser, now));
            rates.guessed_wrong(guesser, now);
        }
        assert!(!rates.may_guess(guesser, now + WINDOW / 2));
        assert!(rates.may_guess(other, now));
        assert!(rates.may_guess(guesser, now + WINDOW));
        rates.guessed_wrong(guesser, now + WINDOW);
        assert!(rates.may_guess(guesser, now + WINDOW), "the count starts again");
    }

    #[test]
    fn a_flood_of_requests_is_answered_up_to_the_burst() {
        let rates = Rates::new();
        let passed = (0..BURST * 2).filter(|_| rates.permit()).count();
        assert!((BURST..BURST + BURST / 2).contains(&passed), "{passed}");
        assert!(rates.permit_monitor(), "monitors are still answered");
    }
}
