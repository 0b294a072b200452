//! Builds the actors on their arbiters and connects them. The caller provides settings and factories; a factory runs on
//! the arbiter that uses its product, each time an actor is built.

mod handle;
mod hooks;
mod names;
mod parts;
mod roster;
#[cfg(test)]
mod tests;
mod workplace;

use std::{collections::HashMap, sync::Arc};

use actix::{Actor, Addr};
use actix_rt::{Arbiter, ArbiterHandle};
use mynah_domain::{Target, TargetId, ports::Ledger};
use tokio::sync::oneshot;

use crate::{
    pauses::Pauses,
    supervision::{HealthRegistry, Supervisor, supervisor::Shutdown},
};

pub use handle::PipelineHandle;
use hooks::PipelineHooks;
pub use names::pollers as poller_names;
pub use parts::{ActorRefs, Factory, LeasesParts, Parts, PublisherSpec, RestartPolicies};
pub use roster::{PollerSpec, Pollers, Publishers};
use workplace::PipelineWorkplace;

/// A running pipeline.
pub struct Pipeline {
    /// References to its actors.
    pub actors: ActorRefs,
    /// The health of every actor.
    pub health: HealthRegistry,
    /// The supervisor.
    pub supervisor: Addr<Supervisor>,
    /// Changes the running actors.
    pub handle: PipelineHandle,
    /// What a person has paused.
    pub pauses: Pauses,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    outcome: oneshot::Receiver<Result<(), String>>,
    arbiters: Vec<Arbiter>,
}

/// The threads that actors run on.
#[derive(Clone)]
pub(crate) struct Threads {
    /// For the router and the cache, which share no thread with actors that wait for the network.
    state: ArbiterHandle,
    /// For the pollers and the stats actor.
    world: ArbiterHandle,
    /// For the publishers.
    publishing: ArbiterHandle,
    /// For the translators.
    pool: Arc<[ArbiterHandle]>,
}

impl Pipeline {
    /// Starts all actors. Must run inside an actix system.
    pub fn start(parts: Parts) -> Self {
        let mut arbiters = Vec::new();
        let mut arbiter = || {
            let arbiter = Arbiter::new();
            let handle = arbiter.handle();
            arbiters.push(arbiter);
            handle
        };
        let threads = Threads {
            state: arbiter(),
            world: arbiter(),
            publishing: arbiter(),
            pool: (0..parts.translator_arbiters.max(1)).map(|_| arbiter()).collect(),
        };
        parts.limit_calls();
        let mut specs = parts.specs(&threads);
        let workplace = PipelineWorkplace { actors: parts.actors.clone(), handle: Arc::default() };
        if let Some(leases) = parts.leases.clone() {
            specs.push(parts.keeper(leases, workplace.clone(), &threads));
        }
        let health = HealthRegistry::default();
        let actors = parts.actors.clone();
        let view = parts.leases.as_ref().map(|leases| leases.view.clone());
        let hooks = Arc::new(PipelineHooks { actors: actors.clone(), view });
        let (supervisor, outcome) = Supervisor::new(parts.supervisor, health.clone(), hooks, specs);
        let supervisor = supervisor.start();
        let (pauses, ledger) = (parts.router.pauses.clone(), parts.router.ledger.clone());
        let handle = PipelineHandle::new(supervisor.clone(), threads, parts);
        // Before the supervisor builds any actor: it does so in the next turn of this thread.
        let _: Result<(), PipelineHandle> = workplace.handle.set(handle.clone());
        Self { actors, health, supervisor, handle, pauses, ledger, outcome, arbiters }
    }

    /// Waits until the pipeline ends by itself, because it cannot continue; returns the reason for a person.
    pub async fn ended(&mut self) -> String {
        match (&mut self.outcome).await {
            Ok(Err(reason)) => reason,
            Ok(Ok(())) | Err(_) => "the supervisor ended by itself; see the log for the reason".into(),
        }
    }

    /// Stops all actors in order, and waits for them and their threads.
    pub async fn stop(self) {
        // If the supervisor is gone, it has stopped everything already.
        let _ = self.supervisor.send(Shutdown).await;
        // Waiting for a thread blocks, which must stop nothing else here, and one that never ends must not keep the process.
        let (ended, all_ended) = oneshot::channel();
        let arbiters = self.arbiters;
        std::thread::spawn(move || {
            for arbiter in arbiters {
                arbiter.stop();
                // A thread that panicked has ended, too.
                let _ = arbiter.join();
            }
            // Nobody waits any more if that took too long.
            let _ = ended.send(());
        });
        let _ = all_ended.await;
    }
}

/// Maps targets by their ids.
pub fn by_name(targets: impl IntoIterator<Item = Target>) -> Arc<HashMap<TargetId, Target>> {
    Arc::new(targets.into_iter().map(|target| (target.id.clone(), target)).collect())
}
