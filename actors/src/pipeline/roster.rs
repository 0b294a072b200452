//! What runs under leases: the pollers of all configured sources, and the publishers of all configured accounts. Each can
//! be started and stopped by itself, without the others noticing.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use mynah_domain::ports::{Source, leases::LeaseName};

use super::{Factory, PublisherSpec, names};
use crate::{
    poller::{Poller, PollerParts},
    supervision::{ExitGuard, WorkerContext},
};

/// A poller, and what is built for it on its own thread.
#[derive(Clone)]
pub struct PollerSpec {
    /// What people call its source.
    pub name: String,
    /// What the poller is built from.
    pub parts: PollerParts,
    /// Its source.
    pub source: Factory<Rc<dyn Source>>,
}

impl PollerSpec {
    pub(super) fn build(&self, exit_guard: &ExitGuard) -> Poller {
        Poller::new(WorkerContext::new(exit_guard), self.parts.clone(), (self.source)())
    }
}

/// The pollers of all configured sources.
pub type Pollers = Roster<PollerSpec>;

/// The publishers of all configured accounts.
pub type Publishers = Roster<PublisherSpec>;

/// Actors of one kind, and which of them run.
#[derive(Clone)]
pub struct Roster<S> {
    members: Vec<Member<S>>,
    stopped: BTreeSet<LeaseName>,
}

/// An actor, whether it runs or not.
#[derive(Clone)]
struct Member<S> {
    lease: LeaseName,
    /// Its actor's name. Whether an actor runs does not change the names of the others.
    actor: String,
    spec: S,
}

/// All of them run.
impl FromIterator<PollerSpec> for Pollers {
    fn from_iter<T: IntoIterator<Item = PollerSpec>>(specs: T) -> Self {
        let specs = specs.into_iter().map(|spec| (spec.parts.source.clone(), spec));
        let specs: BTreeMap<_, _> = specs.collect();
        let sources: Vec<&str> = specs.values().map(|spec| spec.name.as_str()).collect();
        let actors = names::pollers(&sources);
        Self::new(actors, specs.into_iter().map(|(source, spec)| (LeaseName::Source(source.into()), spec)))
    }
}

/// All of them run.
impl FromIterator<PublisherSpec> for Publishers {
    fn from_iter<T: IntoIterator<Item = PublisherSpec>>(specs: T) -> Self {
        let specs: Vec<PublisherSpec> = specs.into_iter().collect();
        let accounts: Vec<&str> = specs.iter().map(|spec| spec.parts.account.as_str()).collect();
        let actors = names::publishers(&accounts);
        let lease = |spec: &PublisherSpec| LeaseName::Account(spec.parts.account.clone());
        Self::new(actors, specs.into_iter().map(|spec| (lease(&spec), spec)))
    }
}

impl<S: Clone> Roster<S> {
    fn new(actors: Vec<String>, specs: impl Iterator<Item = (LeaseName, S)>) -> Self {
        let members = actors.into_iter().zip(specs);
        let members = members.map(|(actor, (lease, spec))| Member { lease, actor, spec });
        Self { members: members.collect(), stopped: BTreeSet::new() }
    }

    /// The same, but none runs until it is started.
    #[must_use]
    pub fn stopped(self) -> Self {
        Self { stopped: self.leases().cloned().collect(), ..self }
    }

    /// Marks an actor as running. Returns its name and what it is built from; `None` if it runs already, or there is none
    /// under this lease.
    pub(super) fn start(&mut self, lease: &LeaseName) -> Option<(String, S)> {
        if !self.stopped.remove(lease) {
            return None;
        }
        self.member(lease).map(|member| (member.actor.clone(), member.spec.clone()))
    }

    /// Marks an actor as stopped. Returns its name; `None` if there is none under this lease.
    pub(super) fn stop(&mut self, lease: &LeaseName) -> Option<String> {
        let actor = self.member(lease)?.actor.clone();
        self.stopped.insert(lease.clone());
        Some(actor)
    }

    /// Those that these have in common with `before` run if they ran before.
    pub(super) fn continue_from(&mut self, before: &Self) {
        let common: Vec<&LeaseName> = before.leases().filter(|lease| self.member(lease).is_some()).collect();
        for lease in common {
            if before.stopped.contains(lease) {
                self.stopped.insert(lease.clone());
            } else {
                self.stopped.remove(lease);
            }
        }
    }

    /// The leases for all of them, whether they run or not.
    pub(super) fn leases(&self) -> impl Iterator<Item = &LeaseName> {
        self.members.iter().map(|member| &member.lease)
    }

    /// The names of all actors, whether they run or not.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.members.iter().map(|member| member.actor.clone())
    }

    /// Those that run, each with its actor's name.
    pub(super) fn running(&self) -> impl Iterator<Item = (&str, &S)> {
        let running = self.members.iter().filter(|member| !self.stopped.contains(&member.lease));
        running.map(|member| (member.actor.as_str(), &member.spec))
    }

    fn member(&self, lease: &LeaseName) -> Option<&Member<S>> {
        self.members.iter().find(|member| member.lease == *lease)
    }
}
