//! Replaces services in a running system. A service that is replaced forgets what it knows about the work in progress,
//! and workers depend on it until they have reported theirs. So all other actors finish their work and stop first, then
//! the services are replaced, and then the others are built.

use super::{
    RestartReason,
    child::{Children, Role},
};

/// A replacement in progress.
#[derive(Debug, Default)]
pub(super) struct Replacement {
    /// The services to replace once no other actor is alive, and why.
    services: Vec<(String, RestartReason)>,
    /// The services that were asked to stop, and are built when they have stopped.
    stopping: Vec<String>,
    /// The actors to build once all services are replaced, in this order, and why, unless they died.
    afterwards: Vec<(String, Option<RestartReason>)>,
}

impl Replacement {
    /// Adds actors to build. Those that are alive are replaced, together with every actor that may depend on one of the
    /// services.
    pub(super) fn add(&mut self, names: Vec<String>, why: RestartReason, children: &mut Children) {
        for name in names {
            if children.is_service(&name) {
                self.services.push((name, why));
            } else if !children.ask_to_restart(&name, why) {
                self.afterwards.push((name, Some(why)));
            }
        }
        children.ask_all_but_services_to_restart(why);
    }

    /// Adds an actor that has stopped and is no service.
    pub(super) fn build_afterwards(&mut self, name: &str, asked: Option<RestartReason>) {
        self.afterwards.push((name.to_owned(), asked));
    }

    /// Does what can be done now. Returns whether the replacement is complete.
    pub(super) fn proceed(&mut self, children: &mut Children) -> bool {
        if children.any_alive(Role::Worker) {
            return false;
        }
        for (service, why) in self.services.drain(..) {
            children.restart(&service, why);
            self.stopping.push(service);
        }
        if !self.stopping.iter().all(|service| children.is_up(service)) {
            return false;
        }
        for (name, asked) in &self.afterwards {
            children.build(name, *asked);
        }
        true
    }
}
