//! The health of every actor, readable from any thread without asking the actor. Health means progress, not a reply to
//! a ping, and an actor that hangs cannot reply anyway.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use dashmap::DashMap;

use super::exit::{actor_of, incarnation_of};

/// The state of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Alive.
    Running,
    /// Dead; its successor is built after a backoff.
    Restarting,
    /// Stopped in order; its successor is built as soon as the services that it depends on are replaced.
    Replacing,
    /// Exited: its work was done, or it was asked to stop.
    Stopped,
}

impl State {
    /// The state's name in logs and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Replacing => "replacing",
            Self::Stopped => "stopped",
        }
    }
}

/// Why an actor was restarted. Only the first two mean that something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestartReason {
    /// It panicked.
    Crash,
    /// It was aborted: it made no progress, or its thread ended.
    Hang,
    /// The settings were read again.
    Reload,
    /// The pool was resized.
    Resize,
    /// A person asked for it.
    Operator,
}

impl RestartReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Crash, Self::Hang, Self::Reload, Self::Resize, Self::Operator];

    /// The reason's name in output and measurements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Hang => "hang",
            Self::Reload => "reload",
            Self::Resize => "resize",
            Self::Operator => "operator",
        }
    }
}

/// How often an actor was restarted, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restarts([u64; RestartReason::ALL.len()]);

impl Restarts {
    /// For every reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// For this reason.
    pub fn of(&self, reason: RestartReason) -> u64 {
        self.0[reason as usize]
    }

    /// Because it died or hung.
    pub fn failures(&self) -> u64 {
        self.of(RestartReason::Crash) + self.of(RestartReason::Hang)
    }

    /// The same, and one more.
    #[must_use]
    pub fn and(mut self, reason: RestartReason) -> Self {
        self.0[reason as usize] += 1;
        self
    }
}

/// The health of one actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorHealth {
    /// The actor's state.
    pub state: State,
    /// How often it was restarted.
    pub restarts: Restarts,
    /// When it last made progress, took up work, or was built.
    pub last_progress: Instant,
    /// How many pieces of work it has begun and not finished. An actor that is at work without progress hangs.
    pub at_work: u32,
    /// How many of these currently wait for the actor's own limits.
    pub resting: u32,
    /// Whether it has made progress since it was built.
    pub progressed: bool,
    /// What prevents it from working, as it reports.
    pub trouble: Option<String>,
}

impl ActorHealth {
    /// Whether it died again without progress. A single death is fixed by a restart.
    pub fn keeps_dying(&self) -> bool {
        self.state == State::Restarting && self.restarts.failures() > 0 && !self.progressed
    }
}

/// The health of all actors. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct HealthRegistry {
    actors: Arc<DashMap<String, ActorHealth>>,
    escalation: Arc<OnceLock<String>>,
    stall: Arc<Mutex<Option<String>>>,
}

impl HealthRegistry {
    /// Records that an actor is built again.
    pub(crate) fn restarted(&self, name: &str, why: RestartReason) {
        if let Some(mut health) = self.actors.get_mut(name) {
            health.restarts = health.restarts.and(why);
        }
    }

    /// Records that an actor was built.
    pub(crate) fn built(&self, name: &str) {
        let now = Instant::now();
        self.actors
            .entry(name.to_owned())
            .and_modify(|health| {
                health.state = State::Running;
                health.last_progress = now;
                health.at_work = 0;
                health.resting = 0;
                health.progressed = false;
                health.trouble = None;
            })
            .or_insert(ActorHealth {
                state: State::Running,
                restarts: Restarts::default(),
                last_progress: now,
                at_work: 0,
                resting: 0,
                progressed: false,
                trouble: None,
            });
    }

    /// Whether the incarnation that a lease names, `translator-3#2`, was replaced by another.
    pub(crate) fn is_replaced(&self, holder: &str) -> bool {
        let incarnation = incarnation_of(holder);
        self.actor(actor_of(holder))
            .is_some_and(|actor| incarnation.is_some_and(|own| own <= actor.restarts.total()))
    }

    /// Removes an actor.
    pub(crate) fn forget(&self, name: &str) {
        self.actors.remove(name);
    }

    pub(crate) fn set_state(&self, name: &str, state: State) {
        if let Some(mut health) = self.actors.get_mut(name) {
            health.state = state;
        }
    }

    /// Records that the actor made progress.
    pub(crate) fn progress(&self, name: &str) {
        if let Some(mut health) = self.actors.get_mut(name) {
            health.last_progress = Instant::now();
            health.progressed = true;
        }
    }

    fn set_trouble(&self, name: &str, trouble: Option<String>) {
        if let Some(mut health) = self.actors.get_mut(name) {
            health.trouble = trouble;
        }
    }

    fn begin(&self, name: &str) {
        if let Some(mut health) = self.actors.get_mut(name) {
            health.at_work += 1;
            health.last_progress = Instant::now();
        }
    }

    fn end(&self, name: &str) {
        if let Some(mut health) = self.actors.get_mut(name) {
            // The count restarts if the actor was restarted in between.
            health.at_work = health.at_work.saturating_sub(1);
            health.last_progress = Instant::now();
        }
    }

    /// Records why the service cannot continue and is not ready any more. The first reason stays.
    pub(crate) fn escalate(&self, reason: &str) {
        let _ = self.escalation.set(reason.to_owned());
    }

    /// Why the service cannot continue, if so.
    pub fn escalation(&self) -> Option<&str> {
        self.escalation.get().map(String::as_str)
    }

    /// Sets the report of stalled stages; `None` if there are none.
    pub(crate) fn set_stall(&self, stall: Option<String>) {
        *self.stall.lock().unwrap_or_else(PoisonError::into_inner) = stall;
    }

    /// The report of stalled stages, if any.
    pub fn stall(&self) -> Option<String> {
        self.stall.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn rest(&self, name: &str) {
        if let Some(mut health) = self.actors.get_mut(name) {
            health.resting += 1;
        }
    }

    fn rested(&self, name: &str) {
        if let Some(mut health) = self.actors.get_mut(name) {
            health.resting = health.resting.saturating_sub(1);
        }
    }

    /// The health of one actor.
    pub fn actor(&self, name: &str) -> Option<ActorHealth> {
        self.actors.get(name).map(|health| health.clone())
    }

    /// The health of every actor, by name.
    pub fn all(&self) -> Vec<(String, ActorHealth)> {
        let mut all: Vec<_> =
            self.actors.iter().map(|entry| (entry.key().clone(), entry.value().clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

/// Reports that an actor is at work or made progress. Clones belong to the same actor.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    name: Arc<str>,
    registry: HealthRegistry,
}

impl Heartbeat {
    pub(crate) fn new(name: &str, registry: HealthRegistry) -> Self {
        Self { name: name.into(), registry }
    }

    /// Reports progress.
    pub fn progress(&self) {
        self.registry.progress(&self.name);
    }

    /// Reports that something outside prevents the actor from working for longer than a moment; the reason is for a
    /// person.
    pub fn troubled(&self, trouble: String) {
        self.registry.set_trouble(&self.name, Some(trouble));
    }

    /// Reports that nothing prevents the actor from working.
    pub fn untroubled(&self) {
        self.registry.set_trouble(&self.name, None);
    }

    /// Reports that work has begun. It lasts for as long as the returned guard lives.
    pub fn at_work(&self) -> AtWork {
        self.registry.begin(&self.name);
        AtWork(self.clone())
    }

    /// Waits in the middle of work for the actor's own limits, which does not count as hanging. Never use it to wait
    /// for another actor, which may be waiting for this one.
    pub async fn at_rest<T>(&self, wait: impl Future<Output = T>) -> T {
        self.registry.end(&self.name);
        let resting = Resting::new(self);
        let done = wait.await;
        drop(resting);
        self.registry.begin(&self.name);
        done
    }
}

/// A wait for an actor's own limits, for as long as this lives.
struct Resting<'a>(&'a Heartbeat);

impl<'a> Resting<'a> {
    fn new(heartbeat: &'a Heartbeat) -> Self {
        heartbeat.registry.rest(&heartbeat.name);
        Self(heartbeat)
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        // This also runs if the wait is dropped midway.
        self.0.registry.rested(&self.0.name);
    }
}

/// Work in progress.
#[derive(Debug)]
pub struct AtWork(Heartbeat);

impl AtWork {
    /// Ends the work with success.
    pub fn done(self) {
        self.0.progress();
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        // This may run while unwinding: nothing here can panic.
        self.0.registry.end(&self.0.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_that_rests_within_its_work_is_not_at_work_until_it_continues() {
        let registry = HealthRegistry::default();
        registry.built("publisher");
        let heartbeat = Heartbeat::new("publisher", registry.clone());
        let at_work = || registry.actor("publisher").unwrap().at_work;
        let work = heartbeat.at_work();
        assert_eq!(at_work(), 1);
        let mut rest = std::pin::pin!(heartbeat.at_rest(std::future::pending::<()>()));
        let _ = futures_util::FutureExt::now_or_never(&mut rest);
        assert_eq!(at_work(), 0);
        drop(work);
        assert_eq!(at_work(), 0, "never below zero");
    }

    #[test]
    fn the_first_escalation_stays() {
        let registry = HealthRegistry::default();
        registry.escalate("the router keeps dying");
        registry.escalate("so does the cache");
        assert_eq!(registry.escalation(), Some("the router keeps dying"));
    }
}
