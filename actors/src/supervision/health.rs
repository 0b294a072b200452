//! The health of every actor, readable from any thread without asking the actor: health is progress made, not a ping
//! answered, and an actor that hangs cannot answer anyway.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use dashmap::DashMap;

/// What an actor is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Alive.
    Running,
    /// Dead; its successor is built after a wait.
    Restarting,
    /// Ended: it did what it was for, or was asked to stop.
    Stopped,
}

impl State {
    /// The state as logs and people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
        }
    }
}

/// The health of one actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorHealth {
    /// What it is doing.
    pub state: State,
    /// How often it was restarted.
    pub restarts: u64,
    /// When it last got something done, took up work, or was built.
    pub last_progress: Instant,
    /// How many pieces of work it has begun and not ended. An actor that is at work and makes no progress hangs.
    pub at_work: u32,
    /// How many waits within its work are for a limit of its own.
    pub resting: u32,
    /// Whether it got something done since it was built.
    pub progressed: bool,
    /// What keeps it from its work, as it reports itself.
    pub trouble: Option<String>,
}

/// The health of all actors. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct HealthRegistry {
    actors: Arc<DashMap<String, ActorHealth>>,
    escalation: Arc<OnceLock<String>>,
    stall: Arc<Mutex<Option<String>>>,
}

impl HealthRegistry {
    /// An actor was built.
    pub(crate) fn built(&self, name: &str) {
        let now = Instant::now();
        self.actors
            .entry(name.to_owned())
            .and_modify(|health| {
                health.state = State::Running;
                health.restarts += 1;
                health.last_progress = now;
                health.at_work = 0;
                health.resting = 0;
                health.progressed = false;
                health.trouble = None;
            })
            .or_insert(ActorHealth {
                state: State::Running,
                restarts: 0,
                last_progress: now,
                at_work: 0,
                resting: 0,
                progressed: false,
                trouble: None,
            });
    }

    /// An actor was removed.
    pub(crate) fn forget(&self, name: &str) {
        self.actors.remove(name);
    }

    pub(crate) fn set_state(&self, name: &str, state: State) {
        if let Some(mut health) = self.actors.get_mut(name) {
            health.state = state;
        }
    }

    /// The actor got something done.
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
            // The count starts again where the actor was restarted in between.
            health.at_work = health.at_work.saturating_sub(1);
            health.last_progress = Instant::now();
        }
    }

    /// The service cannot continue, and is no longer ready for anything: why. The first reason stays.
    pub(crate) fn escalate(&self, reason: &str) {
        let _ = self.escalation.set(reason.to_owned());
    }

    /// Why the service cannot continue, if so.
    pub fn escalation(&self) -> Option<&str> {
        self.escalation.get().map(String::as_str)
    }

    /// The stages that are stalled, for people; `None` where all is well.
    pub(crate) fn set_stall(&self, stall: Option<String>) {
        *self.stall.lock().unwrap_or_else(PoisonError::into_inner) = stall;
    }

    /// The stages that are stalled, for people, if any.
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

/// How an actor shows that it makes progress: it is at work, it got something done. Clones are the same actor's.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    name: Arc<str>,
    registry: HealthRegistry,
}

impl Heartbeat {
    pub(crate) fn new(name: &str, registry: HealthRegistry) -> Self {
        Self { name: name.into(), registry }
    }

    /// Something was done.
    pub fn progress(&self) {
        self.registry.progress(&self.name);
    }

    /// Something outside keeps it from its work for longer than a moment: what, for a person.
    pub fn troubled(&self, trouble: String) {
        self.registry.set_trouble(&self.name, Some(trouble));
    }

    /// Nothing keeps it from its work.
    pub fn untroubled(&self) {
        self.registry.set_trouble(&self.name, None);
    }

    /// Work is taken up, and lasts for as long as what this answers lives.
    pub fn at_work(&self) -> AtWork {
        self.registry.begin(&self.name);
        AtWork(self.clone())
    }

    /// Waits in the middle of work for what the actor's own limits let through: that is not hanging. Never for another actor,
    /// which may be waiting for this one.
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
        // Runs where the wait is dropped in its middle, too.
        self.0.registry.rested(&self.0.name);
    }
}

/// Work under way.
#[derive(Debug)]
pub struct AtWork(Heartbeat);

impl AtWork {
    /// It ended well.
    pub fn done(self) {
        self.0.progress();
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        // Runs while unwinding, too: nothing here can panic.
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
        assert_eq!(at_work(), 0, "never below nothing");
    }

    #[test]
    fn the_first_reason_to_give_up_stays() {
        let registry = HealthRegistry::default();
        registry.escalate("the router keeps dying");
        registry.escalate("so does the cache");
        assert_eq!(registry.escalation(), Some("the router keeps dying"));
    }
}
