//! The services that this one depends on, and which of them are taken to be down: one circuit breaker each, shared by
//! every actor that calls it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use dashmap::DashMap;
use log::{info, warn};
use mynah_domain::breaker::{Breaker, BreakerPolicy, Heard};

/// Every upstream's breaker. Clones share them.
#[derive(Debug, Clone)]
pub struct Upstreams {
    policy: BreakerPolicy,
    breakers: Arc<DashMap<&'static str, Arc<Mutex<Breaker>>>>,
}

impl Upstreams {
    /// Upstreams of which nothing bad is known.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self { policy, breakers: Arc::default() }
    }

    /// Whether an upstream may be called now; whoever may must [`Upstreams::hear`] of it.
    ///
    /// # Errors
    /// The moment from which on to ask again.
    pub fn permit(&self, upstream: &'static str) -> Result<(), Instant> {
        self.with(upstream, |breaker| breaker.permit(Instant::now()))
    }

    /// What became of a call.
    pub fn hear(&self, upstream: &'static str, heard: Heard) {
        let (before, after) = self.with(upstream, |breaker| {
            let before = breaker.is_open();
            breaker.hear(heard, Instant::now(), fastrand::f64());
            (before, breaker.is_open())
        });
        if after && !before {
            warn!(upstream = upstream; "upstream taken to be down; it is left in peace and tried again soon");
        }
        if before && !after {
            info!(upstream = upstream; "upstream answers again");
        }
    }

    /// Whether an upstream is taken to be down.
    pub fn is_down(&self, upstream: &str) -> bool {
        let breaker = self.breakers.get(upstream).map(|breaker| breaker.clone());
        breaker.is_some_and(|breaker| breaker.lock().unwrap_or_else(PoisonError::into_inner).is_open())
    }

    fn with<T>(&self, upstream: &'static str, act: impl FnOnce(&mut Breaker) -> T) -> T {
        let breaker = self
            .breakers
            .entry(upstream)
            .or_insert_with(|| Arc::new(Mutex::new(Breaker::new(self.policy))))
            .clone();
        // Nothing that is done under the lock leaves a breaker half changed.
        act(&mut breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
