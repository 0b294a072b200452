//! Limits the concurrent calls to one service. A caller acquires a permit first and holds it for exactly as long as the
//! call lasts. [`AdaptiveLimit`] decides how many permits there are, and [`BatchSizer`] how much goes into a call; here
//! all callers share them.
//!
//! A waiting caller holds no permit, so no two callers wait for each other. Callers get permits in the order in which
//! they came. A caller that gives up waiting, or dies with a permit, leaves nothing behind.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use log::info;
use mynah_domain::{
    adaptive_limit::{self, AdaptiveLimit, Call},
    batch_sizer::{self, BatchSizer},
};
use tokio::sync::Semaphore;

/// Limits the calls to one service.
#[derive(Debug)]
pub struct ConcurrencyLimiter {
    upstream: Arc<str>,
    state: Mutex<State>,
    /// The free permits. It is fair, and loses nothing if a caller gives up waiting.
    free: Semaphore,
    waiting: AtomicUsize,
    completed: AtomicUsize,
}

#[derive(Debug)]
struct State {
    limit: AdaptiveLimit,
    batch: BatchSizer,
    /// Permits that are held.
    in_flight: usize,
    /// Permits that are held or free. Exceeds the limit after a cut, until enough of them are returned.
    issued: usize,
}

/// The figures of a limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterStats {
    /// How many calls may be in flight at once, now.
    pub limit: usize,
    /// The highest value that the limit may reach.
    pub limit_max: usize,
    /// How many calls are in flight.
    pub in_flight: usize,
    /// How many callers wait for a permit.
    pub waiting: usize,
    /// The most items per call, now.
    pub batch: usize,
    /// The highest value that this may reach.
    pub batch_max: usize,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// It was answered.
    Answered {
        /// How long it took.
        took: Duration,
        /// The answer was spoiled, and parts of it were requested again.
        spoiled: bool,
    },
    /// The service refused the call for now.
    Rejected,
    /// No complete answer came.
    Unanswered,
}

impl ConcurrencyLimiter {
    pub(super) fn new(upstream: Arc<str>, max_calls: usize, max_batch: usize) -> Self {
        let limit = AdaptiveLimit::new(max_calls);
        let issued = limit.limit();
        let state = State { limit, batch: BatchSizer::new(max_batch), in_flight: 0, issued };
        Self {
            upstream,
            state: Mutex::new(state),
            free: Semaphore::new(issued),
            waiting: AtomicUsize::default(),
            completed: AtomicUsize::default(),
        }
    }

    /// The service's name. Cloning it allocates nothing.
    pub fn upstream(&self) -> &Arc<str> {
        &self.upstream
    }

    /// How many calls have completed so far, in any way. While this grows, a caller that waits for a permit or for
    /// another worker's answer is not stuck.
    pub fn completed_calls(&self) -> usize {
        self.completed.load(Ordering::Relaxed)
    }

    /// Acquires a permit if one is free and no caller waits for it.
    pub fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        self.free.try_acquire().ok()?.forget();
        Some(Permit::new(self))
    }

    /// Waits for a permit, behind the callers that wait already.
    pub async fn acquire(self: &Arc<Self>) -> Permit {
        let waiter = Waiter::new(&self.waiting);
        // The semaphore is never closed.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        drop(waiter);
        Permit::new(self)
    }

    /// The most items that go into a call now.
    pub fn batch_size(&self) -> usize {
        self.state().batch.size()
    }

    /// Over how many calls to spread this many items if nothing else is waiting, with one permit already held.
    pub fn spread(&self, items: usize) -> usize {
        self.state().batch.spread(items, self.free.available_permits() + 1)
    }

    /// The current figures.
    pub fn stats(&self) -> LimiterStats {
        let state = self.state();
        LimiterStats {
            limit: state.limit.limit(),
            limit_max: state.limit.max(),
            in_flight: state.in_flight,
            waiting: self.waiting.load(Ordering::Relaxed),
            batch: state.batch.size(),
            batch_max: state.batch.max(),
        }
    }

    pub(super) fn set_max_calls(&self, max: usize) {
        let mut state = self.state();
        state.limit.set_max(max);
        self.adjust_permits(&mut state);
    }

    pub(super) fn set_max_batch(&self, max: usize) {
        let mut state = self.state();
        if state.batch.max() != max {
            state.batch.set_max(max);
        }
    }

    /// Adds or removes free permits to match the limit. Held permits are removed when they are returned.
    fn adjust_permits(&self, state: &mut State) {
        let limit = state.limit.limit();
        if state.issued < limit {
            self.free.add_permits(limit - state.issued);
            state.issued = limit;
        } else if state.issued > limit {
            state.issued -= self.free.forget_permits(state.issued - limit);
        }
    }

    /// No operation under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to make one call. Dropping it returns it, for whatever reason.
#[derive(Debug)]
pub struct Permit {
    limiter: Arc<ConcurrencyLimiter>,
    call: Call,
}

impl Permit {
    fn new(limiter: &Arc<ConcurrencyLimiter>) -> Self {
        let mut state = limiter.state();
        state.in_flight += 1;
        let in_flight = state.in_flight;
        let call = state.limit.begin(in_flight);
        drop(state);
        Self { limiter: limiter.clone(), call }
    }

    /// Records how the call for this many items ended, and returns the permit. A permit that is only dropped proves
    /// nothing about the service.
    pub fn complete(self, items: usize, completion: Completion) {
        use adaptive_limit::Sample;
        let mut state = self.limiter.state();
        let sample = match completion {
            Completion::Answered { took, spoiled: false } => {
                state.batch.record(items, batch_sizer::Sample::Answered(took));
                Some(Sample::Answered { took, items })
            }
            Completion::Answered { spoiled: true, .. } => {
                state.batch.record(items, batch_sizer::Sample::TooLarge);
                // How long several requests took tells nothing about a single one.
                None
            }
            Completion::Rejected => Some(Sample::Rejected),
            Completion::Unanswered => {
                state.batch.record(items, batch_sizer::Sample::TooLarge);
                Some(Sample::Rejected)
            }
        };
        let in_flight = state.in_flight;
        let cut = sample.and_then(|sample| state.limit.record(self.call, in_flight, sample));
        self.limiter.adjust_permits(&mut state);
        drop(state);
        if let Some(cut) = cut {
            info!(upstream = &*self.limiter.upstream, before = cut.before, limit = cut.after; "concurrency limit reduced");
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // This may run while unwinding: nothing here can panic.
        self.limiter.completed.fetch_add(1, Ordering::Relaxed);
        let mut state = self.limiter.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if state.issued > state.limit.limit() {
            state.issued -= 1;
        } else {
            self.limiter.free.add_permits(1);
        }
    }
}

/// Counts a waiting caller for as long as this lives.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};

    use super::*;

    fn limiter(max: usize) -> Arc<ConcurrencyLimiter> {
        Arc::new(ConcurrencyLimiter::new("engine".into(), max, 40))
    }

    fn all(limiter: &Arc<ConcurrencyLimiter>) -> Vec<Permit> {
        std::iter::from_fn(|| limiter.try_acquire()).collect()
    }

    #[actix_rt::test]
    async fn permits_go_to_waiting_callers_in_order_and_one_that_gives_up_leaves_nothing_behind() {
        let limiter = limiter(1);
        let held = limiter.try_acquire().unwrap();
        let mut first = Box::pin(limiter.acquire());
        let mut second = Box::pin(limiter.acquire());
        let mut third = Box::pin(limiter.acquire());
        for waits in [&mut first, &mut second, &mut third] {
            assert!(poll!(waits).is_pending());
        }
        assert_eq!(limiter.stats().waiting, 3);
        drop(first);
        drop(held);
        assert!(limiter.try_acquire().is_none(), "the permit belongs to the second caller");
        assert!(poll!(&mut third).is_pending());
        let Some(permit) = second.now_or_never() else { panic!("it is the second caller's turn") };
        drop(third);
        assert_eq!((limiter.stats().waiting, limiter.stats().in_flight), (0, 1));
        drop(permit);
        assert_eq!(all(&limiter).len(), 1);
    }

    #[actix_rt::test]
    async fn a_caller_that_gives_up_when_its_turn_comes_passes_the_permit_on() {
        let limiter = limiter(1);
        let held = limiter.try_acquire().unwrap();
        let mut first = Box::pin(limiter.acquire());
        let mut second = Box::pin(limiter.acquire());
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        drop(held);
        drop(first);
        assert!(second.now_or_never().is_some());
        assert_eq!(all(&limiter).len(), 1);
    }

    #[test]
    fn after_a_cut_held_permits_are_removed_when_they_are_returned() {
        let limiter = limiter(8);
        let mut held = all(&limiter);
        assert_eq!(held.len(), 8);
        held.pop().unwrap().complete(1, Completion::Rejected);
        assert_eq!(limiter.stats().limit, 4);
        for _ in 0..3 {
            assert!(limiter.try_acquire().is_none(), "{} are in flight", limiter.stats().in_flight);
            held.pop();
        }
        assert_eq!(limiter.stats().in_flight, 4);
        assert!(limiter.try_acquire().is_none());
        held.pop();
        assert_eq!(all(&limiter).len(), 1);
        drop(held);
        assert_eq!(all(&limiter).len(), 4);
    }

    #[test]
    fn another_maximum_adds_and_removes_permits() {
        let limiter = limiter(2);
        let held = all(&limiter);
        limiter.set_max_calls(1);
        drop(held);
        assert_eq!(all(&limiter).len(), 1);
        limiter.set_max_calls(300);
        for _ in 0..100 {
            for permit in all(&limiter) {
                permit.complete(1, Completion::Answered { took: Duration::from_secs(1), spoiled: false });
            }
        }
        assert_eq!(limiter.stats().limit, 300);
        assert_eq!(all(&limiter).len(), 300);
    }

    #[test]
    fn a_permit_that_is_only_dropped_records_nothing() {
        let limiter = limiter(8);
        for _ in 0..100 {
            drop(all(&limiter));
        }
        assert_eq!((limiter.stats().limit, limiter.stats().in_flight), (8, 0));
    }

    #[test]
    fn spoiled_and_missing_answers_make_calls_smaller() {
        let limiter = limiter(8);
        let end = |items, completion| limiter.try_acquire().unwrap().complete(items, completion);
        end(40, Completion::Answered { took: Duration::from_secs(3), spoiled: true });
        assert_eq!((limiter.stats().limit, limiter.batch_size()), (8, 20));
        end(20, Completion::Unanswered);
        assert_eq!((limiter.stats().limit, limiter.batch_size()), (4, 10));
        end(10, Completion::Rejected);
        assert_eq!((limiter.stats().limit, limiter.batch_size()), (2, 10));
    }

    #[test]
    fn permits_are_returned_on_every_thread() {
        let limiter = limiter(16);
        std::thread::scope(|threads| {
            for thread in 0..4_u64 {
                let limiter = limiter.clone();
                threads.spawn(move || {
                    for call in 0..2000_u64 {
                        let Some(permit) = limiter.try_acquire() else { continue };
                        match (call + thread) % 97 {
                            0 => permit.complete(40, Completion::Rejected),
                            1 => drop(permit),
                            _ => {
                                let took = Duration::from_micros(900 + call % 200);
                                permit.complete(40, Completion::Answered { took, spoiled: false });
                            }
                        }
                    }
                });
            }
        });
        let stats = limiter.stats();
        assert_eq!(stats.in_flight, 0);
        assert_eq!(all(&limiter).len(), stats.limit);
    }
}
