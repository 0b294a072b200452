//! The parts of a pipeline, and how each actor is built from them.

use std::{rc::Rc, sync::Arc};

use actix::{Actor, Addr, Context, Handler};
use actix_rt::ArbiterHandle;
use mynah_domain::ports::{
    Destination, Engine, MediaFetcher,
    leases::{LeaseName, Leases},
};

use super::{
    Threads, names,
    roster::{PollerSpec, Pollers, Publishers},
    workplace::PipelineWorkplace,
};
use crate::{
    cache::{Cache, CacheSettings, shared::Shared},
    failpoint,
    leases::{self, KeeperParts, View, holdings::LeasedHoldings, keeper::Keeper},
    publisher::{Publisher, PublisherParts},
    router::{Router, RouterParts},
    stats::{Meter, PendingMeasurements, Stats},
    supervision::{
        ActorRef, ExitGuard, RestartPolicy, Shell, Worker, WorkerContext,
        child::{ChildSpec, Role, Stopper},
        shell::StopAsked,
        supervisor::SupervisorSettings,
    },
    translator::{Translator, TranslatorParts},
};

/// Makes a value that cannot leave the thread on which it is made.
pub type Factory<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// References to the actors that others ask. They exist before any actor is built.
#[derive(Clone, Default)]
pub struct ActorRefs {
    /// To the router.
    pub router: ActorRef<Router>,
    /// To the cache.
    pub cache: ActorRef<Cache>,
    /// To the stats actor.
    pub stats: ActorRef<Stats>,
    /// Measurements that have not been sent to the stats actor yet.
    pub pending: PendingMeasurements,
}

impl ActorRefs {
    /// How many messages wait in the mailbox of the actor with this name.
    pub fn waiting(&self, name: &str) -> usize {
        match name {
            names::ROUTER => self.router.waiting(),
            names::CACHE => self.cache.waiting(),
            names::STATS => self.stats.waiting(),
            // Workers receive no work through their mailboxes: they pull it.
            _ => 0,
        }
    }

    /// The meter with which actors report measurements.
    pub fn meter(&self) -> Meter {
        Meter::new(self.stats.clone(), self.pending.clone())
    }
}

/// When to restart each kind of actor, and when to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicies {
    /// Each poller's.
    pub poller: RestartPolicy,
    /// The router's.
    pub router: RestartPolicy,
    /// Each translator's.
    pub translator: RestartPolicy,
    /// The cache's.
    pub cache: RestartPolicy,
    /// Each publisher's.
    pub publisher: RestartPolicy,
    /// The stats actor's.
    pub stats: RestartPolicy,
}

/// Everything that a pipeline is built from.
pub struct Parts {
    /// References to the actors; the parts below hold clones of them.
    pub actors: ActorRefs,
    /// The supervisor's settings.
    pub supervisor: SupervisorSettings,
    /// When to restart each kind of actor.
    pub policies: RestartPolicies,
    /// What the router is built from.
    pub router: RouterParts,
    /// The cache's settings.
    pub cache: CacheSettings,
    /// The cache of all instances, if there is one.
    pub shared_cache: Option<Shared>,
    /// The pollers of all sources.
    pub pollers: Pollers,
    /// What translators are built from, and their engines.
    pub translators: (TranslatorParts, Factory<Vec<Rc<dyn Engine>>>),
    /// How many translators to start.
    pub pool_size: usize,
    /// On how many arbiters they run.
    pub translator_arbiters: usize,
    /// The publishers of all accounts.
    pub publishers: Publishers,
    /// What the keeper of the leases is built from, if other instances may work on the same ledger. Then no poller and
    /// no publisher runs until the keeper starts it.
    pub leases: Option<LeasesParts>,
}

/// What the keeper of the leases is built from, besides the pipeline itself.
#[derive(Clone)]
pub struct LeasesParts {
    /// Grants the leases.
    pub leases: Arc<dyn Leases>,
    /// Where others read what is held.
    pub holdings: LeasedHoldings,
    /// This instance, and what it sees of the others.
    pub view: View,
}

/// A publisher, and what is built for it on its own thread.
#[derive(Clone)]
pub struct PublisherSpec {
    /// What the publisher is built from.
    pub parts: PublisherParts,
    /// Its account.
    pub destination: Factory<Rc<dyn Destination>>,
    /// Fetches the media of each source that its targets follow, by the source's name.
    pub media: Vec<(String, Factory<Rc<dyn MediaFetcher>>)>,
}

impl PublisherSpec {
    fn build(&self, exit_guard: &ExitGuard) -> Publisher {
        let fetchers = self.media.iter().map(|(source, make)| (source.clone(), make())).collect();
        let context = WorkerContext::new(exit_guard);
        Publisher::new(context, self.parts.clone(), (self.destination)(), fetchers)
    }
}

impl Parts {
    /// Limits the calls to each engine to the number of translators.
    pub(super) fn limit_calls(&self) {
        self.translators.0.cascade.upstreams.set_max_calls(self.pool_size);
    }

    /// Marks what runs under a lease as running, and returns its spec; `None` if it runs already, or is not configured.
    pub(super) fn start(&mut self, lease: &LeaseName, threads: &Threads) -> Option<ChildSpec> {
        match lease {
            LeaseName::Source(_) => {
                let (name, poller) = self.pollers.start(lease)?;
                Some(self.poller(&name, &poller, threads))
            }
            LeaseName::Account(_) => {
                let (name, publisher) = self.publishers.start(lease)?;
                Some(self.publisher(&name, &publisher, threads))
            }
        }
    }

    /// Marks what runs under a lease as stopped, and returns its actor's name; `None` if it is not configured.
    pub(super) fn stop(&mut self, lease: &LeaseName) -> Option<String> {
        match lease {
            LeaseName::Source(_) => self.pollers.stop(lease),
            LeaseName::Account(_) => self.publishers.stop(lease),
        }
    }

    /// The names of the actors whose number depends on the settings.
    pub(super) fn worker_names(&self) -> Vec<String> {
        let translators = (1..=self.pool_size.max(1)).map(names::translator);
        let pollers = self.pollers.running().map(|(name, _)| name.to_owned());
        let publishers = self.publishers.running().map(|(name, _)| name.to_owned());
        let workers = publishers.chain(pollers);
        workers.chain(translators).collect()
    }

    /// The names of all actors, whether they run or not.
    pub(super) fn actor_names(&self) -> Vec<String> {
        let services = [names::STATS, names::CACHE, names::ROUTER].map(str::to_owned).into_iter();
        let keeper = self.leases.iter().map(|_| leases::NAME.to_owned());
        let translators = (1..=self.pool_size.max(1)).map(names::translator);
        let services = services.chain(keeper);
        services.chain(self.publishers.names()).chain(translators).chain(self.pollers.names()).collect()
    }

    /// The specs of all actors, in the order in which they are built.
    pub(super) fn specs(&self, threads: &Threads) -> Vec<ChildSpec> {
        let mut specs = vec![self.stats(threads), self.cache(threads), self.router(threads)];
        let publishers = self.publishers.running();
        specs.extend(publishers.map(|(name, publisher)| self.publisher(name, publisher, threads)));
        specs.extend((1..=self.pool_size.max(1)).map(|number| self.translator(number, threads)));
        specs.extend(self.pollers.running().map(|(name, poller)| self.poller(name, poller, threads)));
        specs
    }

    fn stats(&self, threads: &Threads) -> ChildSpec {
        let (pending, interval) = (self.actors.pending.clone(), self.supervisor.stats_interval);
        let make = move |exit_guard, _| Stats::new(exit_guard, pending.clone(), interval);
        service(names::STATS, self.policies.stats, &threads.world, &self.actors.stats, make)
    }

    fn cache(&self, threads: &Threads) -> ChildSpec {
        let (settings, shared) = (self.cache.clone(), self.shared_cache.clone());
        let make = move |exit_guard, cache| {
            Cache::new(exit_guard, settings.clone(), cache).in_front_of(shared.clone())
        };
        service(names::CACHE, self.policies.cache, &threads.state, &self.actors.cache, make)
    }

    fn router(&self, threads: &Threads) -> ChildSpec {
        let router = self.router.clone();
        let make = move |exit_guard, _| Router::new(exit_guard, router.clone());
        service(names::ROUTER, self.policies.router, &threads.state, &self.actors.router, make)
    }

    /// The spec of a publisher with this name.
    pub(super) fn publisher(&self, name: &str, publisher: &PublisherSpec, threads: &Threads) -> ChildSpec {
        let publisher = publisher.clone();
        let make = move |exit_guard: &ExitGuard| {
            failpoint::reach("publisher.build");
            publisher.build(exit_guard)
        };
        worker(name, Role::Worker, self.policies.publisher, &threads.publishing, make)
    }

    /// The spec of the keeper of the leases. It stops with the services, when everything that runs under its leases has
    /// finished. Like the router, it must be restarted as long as that may help.
    pub(super) fn keeper(
        &self,
        LeasesParts { leases, holdings, view }: LeasesParts,
        workplace: PipelineWorkplace,
        threads: &Threads,
    ) -> ChildSpec {
        let workplace = Arc::new(workplace);
        let parts = KeeperParts { leases, holdings, workplace, view, clock: self.router.clock.clone() };
        let make = move |exit_guard: &ExitGuard| {
            failpoint::reach("keeper.build");
            Keeper::new(WorkerContext::new(exit_guard), parts.clone())
        };
        worker(leases::NAME, Role::Service, self.policies.router, &threads.world, make)
    }

    /// The spec of the translator with this number, counted from 1.
    pub(super) fn translator(&self, number: usize, threads: &Threads) -> ChildSpec {
        let (translator, engines) = self.translators.clone();
        let thread = &threads.pool[number % threads.pool.len()];
        let make = move |exit_guard: &ExitGuard| {
            failpoint::reach("translator.build");
            Translator::new(WorkerContext::new(exit_guard), translator.clone(), engines())
        };
        worker(&names::translator(number), Role::Worker, self.policies.translator, thread, make)
    }

    /// The spec of a poller with this name.
    pub(super) fn poller(&self, name: &str, poller: &PollerSpec, threads: &Threads) -> ChildSpec {
        let poller = poller.clone();
        let make = move |exit_guard: &ExitGuard| {
            failpoint::reach("poller.build");
            poller.build(exit_guard)
        };
        worker(name, Role::Intake, self.policies.poller, &threads.world, make)
    }
}

/// The spec of an actor that others ask.
fn service<A>(
    name: &str,
    policy: RestartPolicy,
    arbiter: &ArbiterHandle,
    actor: &ActorRef<A>,
    make: impl Fn(ExitGuard, ActorRef<A>) -> A + Send + Sync + 'static,
) -> ChildSpec
where
    A: Actor<Context = Context<A>> + Handler<StopAsked>,
{
    let (arbiter, actor, make) = (arbiter.clone(), actor.clone(), Arc::new(make));
    let build = move |exit_guard| {
        let (make, itself) = (make.clone(), actor.clone());
        let addr = A::start_in_arbiter(&arbiter, move |_| make(exit_guard, itself));
        actor.point_at(addr.clone());
        stopper(addr)
    };
    ChildSpec { name: name.to_owned(), role: Role::Service, policy, build: Box::new(build) }
}

/// The spec of an actor that pulls its work.
fn worker<W: Worker + Unpin>(
    name: &str,
    role: Role,
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
    ChildSpec { name: name.to_owned(), role, policy, build: Box::new(build) }
}

fn stopper<A>(addr: Addr<A>) -> Stopper
where
    A: Actor<Context = Context<A>> + Handler<StopAsked>,
{
    Box::new(move |asked| {
        #[expect(
            clippy::disallowed_methods,
            reason = "an actor is asked a few times at most, and the exit of a dead one is reported anyway"
        )]
        addr.do_send(asked);
    })
}
