//! The pollers of all configured sources, each under its source's name in the ledger. Each can be started and stopped by
//! itself, without the others noticing.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use mynah_domain::ports::Source;

use super::{Factory, names};
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

/// The pollers of all configured sources, and which of them run.
#[derive(Clone, Default)]
pub struct Pollers {
    /// By the source's name in the ledger.
    specs: BTreeMap<String, PollerSpec>,
    stopped: BTreeSet<String>,
}

/// All of them run.
impl FromIterator<PollerSpec> for Pollers {
    fn from_iter<T: IntoIterator<Item = PollerSpec>>(specs: T) -> Self {
        let specs = specs.into_iter().map(|spec| (spec.parts.source.clone(), spec));
        Self { specs: specs.collect(), stopped: BTreeSet::new() }
    }
}

impl Pollers {
    /// The same, but none runs until it is started.
    #[must_use]
    pub fn stopped(self) -> Self {
        Self { stopped: self.specs.keys().cloned().collect(), ..self }
    }

    /// Marks a source's poller as running. Returns its actor's name and what it is built from; `None` if it runs
    /// already, or there is no such source.
    pub(super) fn start(&mut self, source: &str) -> Option<(String, &PollerSpec)> {
        if !self.stopped.remove(source) {
            return None;
        }
        let name = self.actor_name(source)?;
        Some((name, self.specs.get(source)?))
    }

    /// Marks a source's poller as stopped. Returns its actor's name; `None` if there is no such source.
    pub(super) fn stop(&mut self, source: &str) -> Option<String> {
        let name = self.actor_name(source)?;
        self.stopped.insert(source.to_owned());
        Some(name)
    }

    /// All sources by their names in the ledger, whether their pollers run or not.
    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        self.specs.keys().map(String::as_str)
    }

    /// Sources that these have in common with `before` run if they ran before.
    pub(super) fn continue_from(&mut self, before: &Self) {
        for source in before.specs.keys().filter(|source| self.specs.contains_key(*source)) {
            if before.stopped.contains(source) {
                self.stopped.insert(source.clone());
            } else {
                self.stopped.remove(source);
            }
        }
    }

    /// The names of all their actors, whether they run or not.
    pub(super) fn names(&self) -> Vec<String> {
        self.actor_names()
    }

    /// Those that run, each with its actor's name.
    pub(super) fn running(&self) -> impl Iterator<Item = (String, &PollerSpec)> {
        let all = self.actor_names().into_iter().zip(&self.specs);
        let running = all.filter(|(_, (source, _))| !self.stopped.contains(*source));
        running.map(|(name, (_, spec))| (name, spec))
    }

    fn actor_name(&self, source: &str) -> Option<String> {
        let place = self.specs.keys().position(|known| known == source)?;
        self.actor_names().into_iter().nth(place)
    }

    /// Whether a poller runs does not change the names of the others.
    fn actor_names(&self) -> Vec<String> {
        let sources: Vec<&str> = self.specs.values().map(|spec| spec.name.as_str()).collect();
        names::pollers(&sources)
    }
}
