//! The actors that a supervisor keeps alive: how to build each of them, and what the supervisor remembers about each
//! across incarnations.

use std::{collections::BTreeMap, time::Instant};

use log::info;
use tokio::sync::mpsc;

use super::{
    Exit, ExitGuard, HealthRegistry, RestartPolicy, RestartReason,
    restart::{RestartHistory, Verdict},
    shell::StopAsked,
};

/// Asks an actor to stop, in order or at once.
pub type Stopper = Box<dyn Fn(StopAsked) + Send>;

/// How to build an actor, as often as needed.
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

/// What an actor does for the others. A stop goes from role to role, in this order: first nothing new is read, then
/// work in progress is finished, then the services stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Brings work in.
    Intake,
    /// Pulls work. When it exits, its jobs are reclaimed.
    Worker,
    /// Answers the others.
    Service,
}

impl Role {
    /// The role that stops after this one.
    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self::Intake => Some(Self::Worker),
            Self::Worker => Some(Self::Service),
            Self::Service => None,
        }
    }
}

/// What to do once an actor has stopped as it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterStop {
    /// Nothing: its work is done.
    StayStopped,
    /// Build its successor, for this reason.
    Restart(RestartReason),
    /// Remove it.
    Remove,
}

/// How urgently an actor was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    InOrder,
    AtOnce,
}

impl Urgency {
    fn of(how: &StopAsked) -> Self {
        match how {
            StopAsked::InOrder => Self::InOrder,
            StopAsked::AtOnce(_) => Self::AtOnce,
        }
    }
}

/// A supervised actor.
pub(super) struct Child {
    pub(super) spec: ChildSpec,
    incarnation: u64,
    history: RestartHistory,
    stopper: Option<Stopper>,
    alive: bool,
    stop_asked: Option<Urgency>,
    after_stop: AfterStop,
    /// How it died, until its successor is built.
    died_of: Option<RestartReason>,
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
            stop_asked: None,
            after_stop: AfterStop::StayStopped,
            died_of: None,
            observation: Observation::default(),
        }
    }

    /// Asks the actor to stop: once in order, and once more if it has to stop at once.
    fn stop(&mut self, how: StopAsked) {
        let urgency = Some(Urgency::of(&how));
        if let Some(stopper) = self.stopper.as_ref().filter(|_| self.stop_asked < urgency) {
            self.stop_asked = urgency;
            stopper(how);
        }
    }

    /// Aborts the actor in the middle of its work.
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
    /// How many checks ago that was.
    pub(super) checks: u32,
    /// It was asked to stop.
    pub(super) aborted: bool,
}

/// All supervised actors, by name.
pub(super) struct Children {
    by_name: BTreeMap<String, Child>,
    health: HealthRegistry,
    exits: mpsc::UnboundedSender<Exit>,
}

impl Children {
    /// Creates an empty set, whose actors will report their exits to `exits`.
    pub(super) fn new(health: HealthRegistry, exits: mpsc::UnboundedSender<Exit>) -> Self {
        Self { by_name: BTreeMap::new(), health, exits }
    }

    /// Adds an actor without building it. If the name exists, the next incarnation is built from the new spec.
    pub(super) fn add(&mut self, spec: ChildSpec) {
        match self.by_name.get_mut(&spec.name) {
            Some(child) => child.spec = spec,
            None => drop(self.by_name.insert(spec.name.clone(), Child::new(spec))),
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn is_service(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|child| child.spec.role == Role::Service)
    }

    /// Whether an actor is alive and was not asked to stop.
    pub(super) fn is_up(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|child| child.alive && child.stop_asked.is_none())
    }

    /// Whether an actor is alive and will be removed when it has stopped.
    pub(super) fn is_being_removed(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|child| child.alive && child.after_stop == AfterStop::Remove)
    }

    /// All names, for people.
    pub(super) fn names(&self) -> String {
        self.by_name.keys().cloned().collect::<Vec<_>>().join(", ")
    }

    pub(super) fn policy(&self, name: &str) -> Option<RestartPolicy> {
        self.by_name.get(name).map(|child| child.spec.policy)
    }

    /// The actors that are alive.
    pub(super) fn alive_mut(&mut self) -> impl Iterator<Item = (&String, &mut Child)> {
        self.by_name.iter_mut().filter(|(_, child)| child.alive)
    }

    /// Whether any actor of this role, or of a role that stops earlier, is alive.
    pub(super) fn any_alive(&self, up_to: Role) -> bool {
        self.by_name.values().any(|child| child.alive && child.spec.role <= up_to)
    }

    /// Builds an actor that is not alive. If it was built before, the reason is how it died, or else `asked`.
    pub(super) fn build(&mut self, name: &str, asked: Option<RestartReason>) {
        let Some(child) = self.by_name.get_mut(name).filter(|child| !child.alive) else {
            return;
        };
        child.incarnation += 1;
        child.alive = true;
        child.stop_asked = None;
        child.after_stop = AfterStop::StayStopped;
        child.observation = Observation::default();
        let why = child.died_of.take().or(asked).filter(|_| child.incarnation > 1);
        if let Some(why) = why {
            self.health.restarted(name, why);
        }
        let exit_guard = ExitGuard::new(name, child.incarnation, self.health.clone(), self.exits.clone());
        child.stopper = Some((child.spec.build)(exit_guard));
        match why {
            Some(why) => {
                let why = why.as_str();
                info!(actor = name, incarnation = child.incarnation, why = why; "actor restarted");
            }
            None => info!(actor = name; "actor started"),
        }
    }

    /// Restarts an actor: now if it is not alive, otherwise after it finishes its work in progress.
    pub(super) fn restart(&mut self, name: &str, why: RestartReason) {
        if !self.ask_to_restart(name, why) {
            self.build(name, Some(why));
        }
    }

    /// Asks an actor to restart after it finishes its work in progress. Returns whether it is alive.
    pub(super) fn ask_to_restart(&mut self, name: &str, why: RestartReason) -> bool {
        let Some(child) = self.by_name.get_mut(name).filter(|child| child.alive) else {
            return false;
        };
        child.after_stop = AfterStop::Restart(why);
        child.stop(StopAsked::InOrder);
        true
    }

    /// Asks every living actor that is no service to restart, except those that are being removed or were asked before.
    pub(super) fn ask_all_but_services_to_restart(&mut self, why: RestartReason) {
        for (_, child) in self.alive_mut() {
            if child.spec.role < Role::Service && child.after_stop == AfterStop::StayStopped {
                child.after_stop = AfterStop::Restart(why);
                child.stop(StopAsked::InOrder);
            }
        }
    }

    /// Removes an actor: now if it is not alive, otherwise when it has stopped as `how` asks it to.
    pub(super) fn retire(&mut self, name: &str, how: StopAsked) {
        match self.by_name.get_mut(name) {
            Some(child) if child.alive => {
                child.after_stop = AfterStop::Remove;
                child.stop(how);
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

    /// Aborts an actor in the middle of its work; its successor is built afterwards.
    pub(super) fn abort(&self, name: &str, reason: &str) {
        if let Some(child) = self.by_name.get(name) {
            child.abort(reason.to_owned());
        }
    }

    /// Asks all actors of a role to stop: in order, but at once if a service has exited, even if they were asked before.
    pub(super) fn stop_all(&mut self, role: Role) {
        let lost = |child: &Child| child.spec.role == Role::Service && !child.alive;
        let how = if role < Role::Service && self.by_name.values().any(lost) {
            // An actor that waits for one that does not come back would wait forever.
            StopAsked::AtOnce("an actor that it depends on has exited".into())
        } else {
            StopAsked::InOrder
        };
        for child in self.by_name.values_mut().filter(|child| child.spec.role == role) {
            child.stop(how.clone());
        }
    }

    /// Records an exit; returns the actor's role and what to do next. `None` for an incarnation that was already
    /// replaced: its exit was handled.
    pub(super) fn ended(&mut self, exit: &Exit) -> Option<(Role, AfterStop)> {
        let child = self.living(exit)?;
        child.alive = false;
        child.stopper = None;
        Some((child.spec.role, child.after_stop))
    }

    /// Reverts [`Children::ended`], so that the exit can be handled again.
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

    /// Decides whether to restart an actor that died.
    pub(super) fn judge(&mut self, name: &str, died_of: RestartReason) -> Verdict {
        let progressed = self.health.actor(name).is_some_and(|health| health.progressed);
        match self.by_name.get_mut(name) {
            Some(child) => {
                child.died_of = Some(died_of);
                child.history.judge(&child.spec.policy, Instant::now(), progressed, fastrand::f64())
            }
            None => Verdict::GiveUp,
        }
    }
}
