//! The state that requests share. Each part has its own lock and no function holds two, so there are no deadlocks. No
//! lock is held across an `await`.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    bill::Biller,
    config::SandboxConfig,
    faults::{FaultPlan, Faults},
    limits::Limiter,
    requests::Requests,
    timeline::TimelinePost,
    world::{PostId, World},
    x::{oauth1::Nonces, stream::FilteredStream},
};

#[derive(Debug)]
pub(crate) struct State {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    limiter: Mutex<Limiter>,
    biller: Mutex<Biller>,
    requests: Mutex<Requests>,
    nonces: Mutex<Nonces>,
    stream: Mutex<FilteredStream>,
    changed: watch::Sender<u64>,
    pub(crate) x_latency: Duration,
    pub(crate) gemini_latency: Duration,
    pub(crate) enforce_history_limit: bool,
    pub(crate) enforce_engagement: bool,
}

impl State {
    pub(crate) fn new(config: SandboxConfig) -> Self {
        let mut world = World::new(&config.account, &config.targets, config.timeline);
        for handle in &config.also_followed {
            world.account_mut(handle);
        }
        Self {
            world: Mutex::new(world),
            faults: Mutex::new(Faults::new(config.faults)),
            limiter: Mutex::new(Limiter::new(config.rate_limits)),
            biller: Mutex::default(),
            requests: Mutex::default(),
            nonces: Mutex::default(),
            stream: Mutex::default(),
            changed: watch::channel(0).0,
            x_latency: config.x_latency,
            gemini_latency: config.gemini_latency,
            enforce_history_limit: config.enforce_history_limit,
            enforce_engagement: config.enforce_engagement,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        lock(&self.limiter)
    }

    pub(crate) fn biller(&self) -> MutexGuard<'_, Biller> {
        lock(&self.biller)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, Requests> {
        lock(&self.requests)
    }

    pub(crate) fn nonces(&self) -> MutexGuard<'_, Nonces> {
        lock(&self.nonces)
    }

    pub(crate) fn stream(&self) -> MutexGuard<'_, FilteredStream> {
        lock(&self.stream)
    }

    /// Posts on the followed account, now.
    pub(crate) fn add_post(&self, post: TimelinePost) -> PostId {
        let id = self.world().add(post);
        self.touch();
        id
    }

    /// Posts on another account that can be followed, now.
    pub(crate) fn add_post_on(&self, handle: &str, post: TimelinePost) -> PostId {
        let id = self.world().add_on(handle, post);
        self.touch();
        id
    }

    pub(crate) fn set_faults(&self, plan: FaultPlan) {
        *self.faults() = Faults::new(plan);
        self.touch();
    }

    /// Wakes everyone that waits for a change.
    pub(crate) fn touch(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn version(&self) -> u64 {
        *self.changed.borrow()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// Ignores poisoning: a panic in one request must not break the others, and the guarded data is consistent between
/// statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
