//! The services that Mynah depends on: which are considered down, which refuse their work ([`refusals`]), and how many
//! calls each gets at once. Each has one circuit breaker, and each engine one [`limiter`], shared by all actors that call
//! it.
//!
//! Only engines have a limiter. A target's publications go out one after the other, so there is at most one call per
//! account to the network, however fast it answers. The account's own limits and the breaker handle refusals. Limiting
//! how many accounts publish at once would delay the others without need, because the network's limits are per account.

pub mod limiter;
pub mod refusals;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use dashmap::DashMap;
use limiter::{ConcurrencyLimiter, LimiterStats};
use log::{info, warn};
use mynah_domain::{
    breaker::{Breaker, BreakerPolicy, CallOutcome},
    ports::Engine,
};
use refusals::Refusals;

/// Every upstream's breaker and limiter, by name. Clones share them.
#[derive(Debug, Clone)]
pub struct Upstreams {
    policy: BreakerPolicy,
    breakers: Arc<DashMap<Arc<str>, Arc<Mutex<Breaker>>>>,
    /// The most calls to any engine at once.
    max_calls: Arc<AtomicUsize>,
    limiters: Arc<DashMap<Arc<str>, Arc<ConcurrencyLimiter>>>,
    refusals: Refusals,
}

impl Upstreams {
    /// Creates upstreams that are presumed healthy; no engine ever gets more than `max_calls` calls at once.
    pub fn new(policy: BreakerPolicy, max_calls: usize) -> Self {
        Self {
            policy,
            breakers: Arc::default(),
            max_calls: Arc::new(AtomicUsize::new(max_calls)),
            limiters: Arc::default(),
            refusals: Refusals::default(),
        }
    }

    /// Sets the most calls that any engine gets at once; at least one.
    pub fn set_max_calls(&self, max: usize) {
        self.max_calls.store(max, Ordering::Relaxed);
        for limiter in self.limiters.iter() {
            limiter.set_max_calls(max);
        }
    }

    /// The limiter of an engine.
    pub fn limiter(&self, engine: &dyn Engine) -> Arc<ConcurrencyLimiter> {
        let (name, max_batch) = (engine.name(), engine.composition().max_items());
        let known = self.limiters.get(name).map(|limiter| limiter.clone());
        let limiter = known.unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            let max_calls = self.max_calls.load(Ordering::Relaxed);
            let new = || Arc::new(ConcurrencyLimiter::new(name.clone(), max_calls, max_batch));
            self.limiters.entry(name.clone()).or_insert_with(new).clone()
        });
        // An engine is rebuilt with other settings while its limiter stays.
        limiter.set_max_batch(max_batch);
        limiter
    }

    /// The figures of every engine's limiter, by name, for engines that were asked so far.
    pub fn limiters(&self) -> Vec<(Arc<str>, LimiterStats)> {
        let stats = self.limiters.iter().map(|limiter| (limiter.key().clone(), limiter.stats()));
        let mut stats: Vec<_> = stats.collect();
        stats.sort_by(|(one, _), (other, _)| one.cmp(other));
        stats
    }

    /// What the engines refuse.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Whether an upstream may be called now. If so, the caller must [`Upstreams::record`] the result.
    ///
    /// # Errors
    /// The time from which to ask again.
    pub fn permit(&self, upstream: &str) -> Result<(), Instant> {
        self.with(upstream, |breaker| breaker.permit(Instant::now()))
    }

    /// Records how a call ended.
    pub fn record(&self, upstream: &str, outcome: CallOutcome) {
        let (before, after) = self.with(upstream, |breaker| {
            let before = breaker.is_open();
            breaker.record(outcome, Instant::now(), fastrand::f64());
            (before, breaker.is_open())
        });
        if after && !before {
            warn!(upstream = upstream; "circuit breaker opened");
        }
        if before && !after {
            info!(upstream = upstream; "circuit breaker closed");
        }
    }

    /// Permits a trial call to an upstream that is not called at the moment: a person may have raised its quota.
    pub fn reconsider(&self, upstream: &str) {
        self.with(upstream, |breaker| breaker.reconsider(Instant::now()));
    }

    /// Whether an upstream is considered down.
    pub fn is_down(&self, upstream: &str) -> bool {
        let breaker = self.breakers.get(upstream).map(|breaker| breaker.clone());
        breaker.is_some_and(|breaker| breaker.lock().unwrap_or_else(PoisonError::into_inner).is_open())
    }

    fn with<T>(&self, upstream: &str, act: impl FnOnce(&mut Breaker) -> T) -> T {
        let known = self.breakers.get(upstream).map(|breaker| breaker.clone());
        let breaker = known.unwrap_or_else(|| {
            let new = || Arc::new(Mutex::new(Breaker::new(self.policy)));
            self.breakers.entry(upstream.into()).or_insert_with(new).clone()
        });
        // No operation under the lock leaves a breaker half changed.
        act(&mut breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
