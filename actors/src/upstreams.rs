//! The services that this one depends on, which of them are taken to be down, and how much they are asked at once: one
//! circuit breaker each, and [`places`] for its calls, shared by every actor that calls it.
//!
//! Only engines have places. A target's publications go out one after the other, so there is one call to X for each account
//! and no more, however fast X answers; what X refuses is waited for by the account's own limits and the breaker. To let
//! fewer accounts publish at once would make the others late without a word of X that it wants that: its limits are each
//! account's own.

pub mod places;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use dashmap::DashMap;
use log::{info, warn};
use mynah_domain::{
    breaker::{Breaker, BreakerPolicy, Heard},
    ports::Engine,
};
use places::{Pace, Places};

/// Every upstream's breaker and places. Clones share them.
#[derive(Debug, Clone)]
pub struct Upstreams {
    policy: BreakerPolicy,
    breakers: Arc<DashMap<&'static str, Arc<Mutex<Breaker>>>>,
    /// The most calls at once to any engine.
    most: Arc<AtomicUsize>,
    places: Arc<DashMap<&'static str, Arc<Places>>>,
}

impl Upstreams {
    /// Upstreams of which nothing bad is known; no engine is ever asked for more than `most` things at once.
    pub fn new(policy: BreakerPolicy, most: usize) -> Self {
        Self {
            policy,
            breakers: Arc::default(),
            most: Arc::new(AtomicUsize::new(most)),
            places: Arc::default(),
        }
    }

    /// Has no engine be asked for more than `most` things at once, at least one, from now on.
    pub fn allow(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
        for places in self.places.iter() {
            places.allow(most);
        }
    }

    /// The places of an engine.
    pub fn places(&self, engine: &dyn Engine) -> Arc<Places> {
        let (name, batch) = (engine.name(), engine.max_batch().max(1));
        let new = || Arc::new(Places::new(name, self.most.load(Ordering::Relaxed), batch));
        let places = self.places.entry(name).or_insert_with(new).clone();
        // It is built anew with other settings while its places last.
        places.allow_batch(batch);
        places
    }

    /// How much every engine that was asked so far is asked at once, by name.
    pub fn paces(&self) -> Vec<(&'static str, Pace)> {
        let paces = self.places.iter().map(|places| (*places.key(), places.pace()));
        let mut paces: Vec<_> = paces.collect();
        paces.sort_by_key(|(name, _)| *name);
        paces
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
