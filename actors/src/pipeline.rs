//! The actors on their arbiters, and how they hang together. Whoever wires the service gives settings and factories; a
//! factory is called on the arbiter where its product is used, each time an actor is built.

mod handle;

use std::{collections::HashMap, rc::Rc, sync::Arc};

use actix::{Actor, Addr, Context, Handler};
use actix_rt::{Arbiter, ArbiterHandle};
use mynah_domain::{
    Target, TargetId,
    ports::{Destination, Engine, Ledger, MediaFetcher, Source},
};
use tokio::sync::oneshot;

use crate::{
    cache::{Cache, CacheSettings},
    failpoint,
    pauses::Pauses,
    poller::{Poller, PollerParts},
    publisher::{Publisher, PublisherParts},
    router::{self, Router, RouterParts},
    stats::{Meter, PendingMeasurements, Stats},
    supervision::{
        ActorRef, ExitGuard, HealthRegistry, RestartPolicies, RestartPolicy, Shell, Supervisor, Worker,
        WorkerContext,
        shell::StopAsked,
        supervisor::{ChildSpec, Shutdown, Stage, Stopper, SupervisorSettings},
    },
    translator::{Translator, TranslatorParts},
};

pub use handle::PipelineHandle;

/// Makes something that cannot leave the thread it is made on.
pub type Factory<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// The ways to the actors that others ask, made before any of them is.
#[derive(Clone, Default)]
pub struct ActorRefs {
    /// To the router.
    pub router: ActorRef<Router>,
    /// To the cache.
    pub cache: ActorRef<Cache>,
    /// To the stats actor.
    pub stats: ActorRef<Stats>,
    /// What the stats actor was told and has not taken in yet.
    pub pending: PendingMeasurements,
}

impl ActorRefs {
    /// How many messages wait in the mailbox of the actor of that name.
    pub fn waiting(&self, name: &str) -> usize {
        match name {
            "router" => self.router.waiting(),
            "cache" => self.cache.waiting(),
            "stats" => self.stats.waiting(),
            // Workers take no work by their mailboxes: they ask for it.
            _ => 0,
        }
    }

    /// What actors tell the stats actor by.
    pub fn meter(&self) -> Meter {
        Meter::new(self.stats.clone(), self.pending.clone())
    }
}

/// Everything that a pipeline is made of.
pub struct Parts {
    /// The ways to the actors, as they stand in the parts below.
    pub actors: ActorRefs,
    /// The supervisor's settings.
    pub supervisor: SupervisorSettings,
    /// When each sort of actor is restarted.
    pub policies: RestartPolicies,
    /// The router.
    pub router: RouterParts,
    /// The cache.
    pub cache: CacheSettings,
    /// The poller, and its source.
    pub poller: (PollerParts, Factory<Rc<dyn Source>>),
    /// The translators, and the engines of each.
    pub translators: (TranslatorParts, Factory<Vec<Rc<dyn Engine>>>),
    /// How many translators there are.
    pub pool_size: usize,
    /// On how many arbiters they sit.
    pub translator_arbiters: usize,
    /// The publishers, with the destination of each, and what fetches the media of its source's posts.
    pub publishers: Vec<(PublisherParts, Factory<Rc<dyn Destination>>, Factory<Rc<dyn MediaFetcher>>)>,
}

/// A running pipeline.
pub struct Pipeline {
    /// The ways to the actors.
    pub actors: ActorRefs,
    /// Where every actor stands.
    pub health: HealthRegistry,
    /// The supervisor.
    pub supervisor: Addr<Supervisor>,
    /// Who works, and how to change that.
    pub handle: PipelineHandle,
    /// What a person paused.
    pub pauses: Pauses,
    /// The record.
    pub ledger: Arc<dyn Ledger>,
    outcome: oneshot::Receiver<Result<(), String>>,
    arbiters: Vec<Arbiter>,
}

/// The threads that actors are built on.
#[derive(Clone)]
pub(crate) struct Threads {
    /// The router's and the cache's: they share no thread with whoever waits for the world.
    state: ArbiterHandle,
    /// The poller's and the stats actor's.
    world: ArbiterHandle,
    /// The publishers'.
    publishing: ArbiterHandle,
    /// The translators'.
    pool: Arc<[ArbiterHandle]>,
}

impl Pipeline {
    /// Starts everything, inside a running actix system.
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
        let specs = parts.specs(&threads);
        let health = HealthRegistry::default();
        let actors = parts.actors.clone();
        let (supervisor, outcome) = Supervisor::new(
            parts.supervisor,
            health.clone(),
            actors.router.clone(),
            actors.stats.clone(),
            specs,
        );
        let supervisor = supervisor.start();
        let (pauses, ledger) = (parts.router.pauses.clone(), parts.router.ledger.clone());
        let handle = PipelineHandle::new(supervisor.clone(), threads, parts);
        Self { actors, health, supervisor, handle, pauses, ledger, outcome, arbiters }
    }

    /// Waits until the pipeline ends by itself, which it does only where it cannot go on: the reason, for a person.
    pub async fn ended(&mut self) -> String {
        match (&mut self.outcome).await {
            Ok(Err(reason)) => reason,
            Ok(Ok(())) | Err(_) => "the supervisor ended by itself; the log has the reason".into(),
        }
    }

    /// Stops everything in order and waits for it, and for its threads.
    pub async fn stop(self) {
        // One that is gone has stopped everything already.
        let _ = self.supervisor.send(Shutdown).await;
        for arbiter in self.arbiters {
            arbiter.stop();
            // A thread that panicked is at its end all the same.
            let _ = arbiter.join();
        }
    }
}

impl Parts {
    /// No engine gets more calls at once than there are translators.
    fn limit_calls(&self) {
        self.translators.0.cascade.upstreams.set_max_calls(self.pool_size);
    }

    /// How to build every actor, in the order in which they are built.
    fn specs(&self, threads: &Threads) -> Vec<ChildSpec> {
        let pending = self.actors.pending.clone();
        let stats = service(
            "stats",
            self.policies.stats,
            &threads.world,
            &self.actors.stats,
            move |exit_guard, _| Stats::new(exit_guard, pending.clone()),
        );
        let cache = {
            let settings = self.cache.clone();
            service(
                "cache",
                self.policies.cache,
                &threads.state,
                &self.actors.cache,
                move |exit_guard, link| Cache::new(exit_guard, settings.clone(), link),
            )
        };
        [stats, cache].into_iter().chain(self.workers(threads)).collect()
    }

    /// How to build those that remember nothing but what is on record: any of them may be replaced at any time.
    fn workers(&self, threads: &Threads) -> Vec<ChildSpec> {
        let router = self.router.clone();
        let mut specs = vec![service(
            router::NAME,
            self.policies.router,
            &threads.state,
            &self.actors.router,
            move |exit_guard, _| Router::new(exit_guard, router.clone()),
        )];
        for (publisher, destination, media) in &self.publishers {
            let (name, publisher) = (publisher.name(), publisher.clone());
            let (destination, media) = (destination.clone(), media.clone());
            specs.push(worker(
                &name,
                Stage::Worker,
                self.policies.publisher,
                &threads.publishing,
                move |exit_guard| {
                    failpoint::reach("publisher.build");
                    let context = WorkerContext::new(exit_guard);
                    Publisher::new(context, publisher.clone(), destination(), media())
                },
            ));
        }
        specs.extend((1..=self.pool_size.max(1)).map(|number| self.translator(number, threads)));
        let (poller, source) = self.poller.clone();
        specs.push(worker("poller", Stage::Inlet, self.policies.poller, &threads.world, move |exit_guard| {
            failpoint::reach("poller.build");
            Poller::new(WorkerContext::new(exit_guard), poller.clone(), source())
        }));
        specs
    }

    /// How to build the translator of that number, from 1 on.
    fn translator(&self, number: usize, threads: &Threads) -> ChildSpec {
        let (translator, engines) = self.translators.clone();
        let thread = &threads.pool[number % threads.pool.len()];
        worker(&translator_name(number), Stage::Worker, self.policies.translator, thread, move |exit_guard| {
            failpoint::reach("translator.build");
            Translator::new(WorkerContext::new(exit_guard), translator.clone(), engines())
        })
    }
}

fn translator_name(number: usize) -> String {
    format!("translator-{number}")
}

/// An actor that others ask.
fn service<A>(
    name: &str,
    policy: RestartPolicy,
    arbiter: &ArbiterHandle,
    link: &ActorRef<A>,
    make: impl Fn(ExitGuard, ActorRef<A>) -> A + Send + Sync + 'static,
) -> ChildSpec
where
    A: Actor<Context = Context<A>> + Handler<StopAsked>,
{
    let (arbiter, link, make) = (arbiter.clone(), link.clone(), Arc::new(make));
    let build = move |exit_guard| {
        let (make, inner) = (make.clone(), link.clone());
        let addr = A::start_in_arbiter(&arbiter, move |_| make(exit_guard, inner));
        link.point_at(addr.clone());
        stopper(addr)
    };
    ChildSpec { name: name.to_owned(), stage: Stage::Service, policy, build: Box::new(build) }
}

/// An actor that pulls its work.
fn worker<W: Worker + Unpin>(
    name: &str,
    stage: Stage,
    policy: RestartPolicy,
    arbiter: &ArbiterHandle,
    make: impl Fn(&ExitGuard) -> W + Send + Sync + 'static,
) -> ChildSpec {
    let (arbiter, make) = (arbiter.clone(), Arc::new(make));
    let build = move |exit_guard| {
        let make = make.clone();
        stopper(Shell::start_in_arbiter(&arbiter, move |_| {
            Shell::new(exit_guard, move |exit_guard| make(exit_guard))
        }))
    };
    ChildSpec { name: name.to_owned(), stage, policy, build: Box::new(build) }
}

fn stopper<A>(addr: Addr<A>) -> Stopper
where
    A: Actor<Context = Context<A>> + Handler<StopAsked>,
{
    Box::new(move |asked| {
        #[expect(
            clippy::disallowed_methods,
            reason = "told twice at most, and a dead actor's end is heard of all the same"
        )]
        addr.do_send(asked);
    })
}

/// The targets, by name.
pub fn by_name(targets: impl IntoIterator<Item = Target>) -> Arc<HashMap<TargetId, Target>> {
    Arc::new(targets.into_iter().map(|target| (target.id.clone(), target)).collect())
}
