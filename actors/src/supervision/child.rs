//! The actors that a supervisor keeps alive: how to build each of them, and what is remembered of it from one incarnation
//! to the next.

use std::{collections::BTreeMap, time::Instant};

use log::info;
use tokio::sync::mpsc;

use super::{
    Exit, ExitGuard, HealthRegistry, RestartPolicy,
    restart::{RestartHistory, Verdict},
    shell::StopAsked,
};

/// Asks an actor to end, in order or at once.
pub type Stopper = Box<dyn Fn(StopAsked) + Send>;

/// How to build one actor, as often as needed.
pub struct ChildSpec {
    /// Its name, `translator-3`.
    pub name: String,
    /// Its role, which decides when it is stopped.
    pub role: Role,
    /// When to restart it and when to give up.
    pub policy: RestartPolicy,
    /// Builds it on its arbiter with the given guard.
    pub build: Box<dyn Fn(ExitGuard) -> Stopper + Send>,
}

/// What an actor does for the others. A stop goes from role to role, in this order: first nothing new is read, then what
/// is in hand is finished, then the record is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Brings work in.
    Intake,
    /// Pulls work; what it has in hand is reclaimed when it ends.
    Worker,
    /// Answers the others.
    Service,
}

impl Role {
    /// The role that is stopped after this one.
    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self::Intake => Some(Self::Worker),
            Self::Worker => Some(Self::Service),
            Self::Service => None,
        }
    }
}

/// What becomes of an actor once it has stopped as it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterStop {
    /// Nothing: it has done what it was for.
    StayStopped,
    /// Its successor is built.
    Restart,
    /// It is removed.
    Remove,
}

/// One actor.
pub(super) struct Child {
    pub(super) spec: ChildSpec,
    incarnation: u64,
    history: RestartHistory,
    stopper: Option<Stopper>,
    alive: bool,
    stop_asked: bool,
    after_stop: AfterStop,
    /// What the watchdog saw of this incarnation.
    pub(super) observation: Observation,
}

impl Child {
    fn new(spec: ChildSpec) -> Self {
        Self {
            spec,
            incarnation: 0,
            history: RestartHistory::default(),
            stopper: None,
            alive: false,
            stop_asked: false,
            after_stop: AfterStop::StayStopped,
            observation: Observation::default(),
        }
    }

    /// Asks the actor to stop, once.
    fn stop(&mut self, how: StopAsked) {
        if let Some(stopper) = &self.stopper
            && !std::mem::replace(&mut self.stop_asked, true)
        {
            stopper(how);
        }
    }

    /// Ends the actor in the middle of what it does.
    pub(super) fn abort(&self, reason: String) {
        if let Some(stopper) = self.stopper.as_ref().filter(|_| self.alive) {
            stopper(StopAsked::AtOnce(reason));
        }
    }
}

/// What the watchdog saw of one incarnation.
#[derive(Debug, Default)]
pub(super) struct Observation {
    /// When it last showed progress.
    pub(super) last_progress: Option<Instant>,
    /// How many checks ago.
    pub(super) checks: u32,
    /// It was asked to end.
    pub(super) aborted: bool,
}

/// All of them, by name.
pub(super) struct Children {
    by_name: BTreeMap<String, Child>,
    health: HealthRegistry,
    exits: mpsc::UnboundedSender<Exit>,
}

impl Children {
    /// None yet; those to come report their exits to `exits`.
    pub(super) fn new(health: HealthRegistry, exits: mpsc::UnboundedSender<Exit>) -> Self {
        Self { by_name: BTreeMap::new(), health, exits }
    }

    /// Adds an actor, which is not built yet. One of the same name is built from the new spec the next time.
    pub(super) fn add(&mut self, spec: ChildSpec) {
        match self.by_name.get_mut(&spec.name) {
            Some(child) => child.spec = spec,
            None => drop(self.by_name.insert(spec.name.clone(), Child::new(spec))),
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Every name, for people.
    pub(super) fn names(&self) -> String {
        self.by_name.keys().cloned().collect::<Vec<_>>().join(", ")
    }

    pub(super) fn policy(&self, name: &str) -> Option<RestartPolicy> {
        self.by_name.get(name).map(|child| child.spec.policy)
    }

    /// Those that are alive.
    pub(super) fn alive_mut(&mut self) -> impl Iterator<Item = (&String, &mut Child)> {
        self.by_name.iter_mut().filter(|(_, child)| child.alive)
    }

    /// Whether any of these roles, or of those that stop before them, is alive.
    pub(super) fn any_alive(&self, up_to: Role) -> bool {
        self.by_name.values().any(|child| child.alive && child.spec.role <= up_to)
    }

    /// Builds an actor that is not alive.
    pub(super) fn build(&mut self, name: &str) {
        let Some(child) = self.by_name.get_mut(name).filter(|child| !child.alive) else {
            return;
        };
        child.incarnation += 1;
        child.alive = true;
        child.stop_asked = false;
        child.after_stop = AfterStop::StayStopped;
        child.observation = Observation::default();
        let exit_guard = ExitGuard::new(name, child.incarnation, self.health.clone(), self.exits.clone());
        child.stopper = Some((child.spec.build)(exit_guard));
        if child.incarnation == 1 {
            info!(actor = name; "actor started");
        } else {
            info!(actor = name, incarnation = child.incarnation; "actor restarted");
        }
    }

    /// Builds an actor now, or as soon as the incarnation that is alive has finished what it has in hand.
    pub(super) fn restart(&mut self, name: &str) {
        match self.by_name.get_mut(name) {
            Some(child) if child.alive => {
                child.after_stop = AfterStop::Restart;
                child.stop(StopAsked::InOrder);
            }
            _ => self.build(name),
        }
    }

    /// Removes an actor now, or as soon as it has finished what it has in hand.
    pub(super) fn retire(&mut self, name: &str) {
        match self.by_name.get_mut(name) {
            Some(child) if child.alive => {
                child.after_stop = AfterStop::Remove;
                child.stop(StopAsked::InOrder);
            }
            Some(_) => self.remove(name),
            None => {}
        }
    }

    /// Removes an actor that is not alive.
    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
        self.health.forget(name);
        info!(actor = name; "actor removed");
    }

    /// Ends an actor in the middle of what it does; its successor is built after it.
    pub(super) fn abort(&self, name: &str, reason: &str) {
        if let Some(child) = self.by_name.get(name) {
            child.abort(reason.to_owned());
        }
    }

    /// Asks all of a role to stop.
    pub(super) fn stop_all(&mut self, role: Role) {
        let lost = |child: &Child| child.spec.role == Role::Service && !child.alive;
        let how = if role < Role::Service && self.by_name.values().any(lost) {
            // Whoever waits for one that will not come back would wait forever.
            StopAsked::AtOnce("an actor that it needs has ended".into())
        } else {
            StopAsked::InOrder
        };
        for child in self.by_name.values_mut().filter(|child| child.spec.role == role) {
            child.stop(how.clone());
        }
    }

    /// Takes note of an exit; answers the role of the actor and what was to become of it. None for an incarnation that is
    /// not the living one: its exit was handled.
    pub(super) fn ended(&mut self, exit: &Exit) -> Option<(Role, AfterStop)> {
        let child = self.living(exit)?;
        child.alive = false;
        child.stopper = None;
        Some((child.spec.role, child.after_stop))
    }

    /// Takes back [`Children::ended`], so that the exit can be handled again.
    pub(super) fn not_ended(&mut self, exit: &Exit) {
        let child = self.by_name.get_mut(&exit.name);
        if let Some(child) = child.filter(|child| child.incarnation == exit.incarnation) {
            child.alive = true;
        }
    }

    fn living(&mut self, exit: &Exit) -> Option<&mut Child> {
        let child = self.by_name.get_mut(&exit.name)?;
        (child.incarnation == exit.incarnation && child.alive).then_some(child)
    }

    /// Judges the death of an actor.
    pub(super) fn judge(&mut self, name: &str) -> Verdict {
        let progressed = self.health.actor(name).is_some_and(|health| health.progressed);
        match self.by_name.get_mut(name) {
            Some(child) => {
                child.history.judge(&child.spec.policy, Instant::now(), progressed, fastrand::f64())
            }
            None => Verdict::GiveUp,
        }
    }
}
