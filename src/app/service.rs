//! The service runs the pipeline, and can change its settings while it runs. Positions, spent budgets and pauses
//! survive a change; the actors restart with the new settings and continue where the old ones stopped.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};

use log::{info, warn};
use mynah_actors::{
    blocks::Blocks,
    cache::shared::Shared,
    events::Feed,
    leases::Holdings,
    pauses::{self, Pauses},
    pipeline::{ActorRefs, LeasesParts, Parts, Pipeline},
    poller::Polled,
    publisher::{Bucket, Limits},
    spending::Purse,
    stats::Meter,
    translator::cascade::EngineCascade,
    upstreams::Upstreams,
    warm_up::WarmUp,
};
use mynah_domain::{
    AccountId, JobState, Target,
    ports::{Clock, Engine, Ledger, LedgerError, SystemClock},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{
    BREAKER,
    credentials::{self, Credentials},
    instances,
    parts::cache_ttl,
    retention::Retention,
    warm_up,
};
use crate::{
    control::{
        configured::Configured,
        names::Names,
        news::{Follower, News},
        overview::Overview,
        reloads::Reloads,
    },
    engines::{OF_NO_USE, unsupported},
    glossary,
    http::ReloadRequest,
    ledger::{self, Opened, Place},
    settings::{Change, Former, SecretChange, Settings},
};

/// Channels that observe the pipeline.
pub struct Watch {
    /// The outcomes of jobs.
    pub feed: Feed,
    /// The outcomes of polls, each with its source.
    pub polls: Option<mpsc::UnboundedSender<(String, Polled)>>,
}

/// When sources are polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// Once each.
    Once,
    /// Each at the interval that its settings name.
    Continuous,
}

/// Whether the service measures anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Telemetry {
    /// The normal case.
    #[default]
    On,
    /// To measure the cost of measuring.
    Off,
}

/// A running service.
pub struct Service {
    /// Its actors.
    pub pipeline: Pipeline,
    settings: Settings,
    configured: Configured,
    persistent: Persistent,
    /// Alive for as long as the settings are in force.
    in_force: Arc<()>,
    glossaries: Option<JoinHandle<()>>,
    warming: JoinHandle<()>,
    /// Notices when the shared cache is away, and when it is back.
    watching_cache: Option<JoinHandle<()>>,
    retention: Option<JoinHandle<()>>,
}

/// What survives a change of the settings.
pub(super) struct Persistent {
    /// What the leases are kept with, if other instances may use the ledger.
    pub(super) leases: Option<LeasesParts>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) purse: Purse,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) actors: ActorRefs,
    pub(super) meter: Meter,
    pub(super) upstreams: Upstreams,
    /// The cache of all instances, if there is one.
    pub(super) shared_cache: Option<Shared>,
    pub(super) pauses: Pauses,
    pub(super) blocks: Blocks,
    pub(super) watch: Watch,
    /// Each account's bucket of publications, with the limits that it was made for.
    pub(super) buckets: HashMap<AccountId, (Limits, Bucket)>,
}

/// The result of a change of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Changes that are in force now.
    pub changed: Vec<Change>,
    /// Changes that take effect at the next start.
    pub after_restart: Vec<Change>,
}

impl Service {
    /// How many jobs in the ledger are held or failed, and wait for a person; and how many are in review.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn unresolved(&self) -> Result<(u64, u64), LedgerError> {
        let counts = self.persistent.ledger.counts().await?;
        let count = |states: &[JobState]| -> u64 {
            counts.iter().filter(|((_, state), _)| states.contains(state)).map(|(_, count)| count).sum()
        };
        Ok((count(&[JobState::Held, JobState::Failed]), count(&[JobState::Review])))
    }

    /// Waits until this process works for all sources and accounts, for a run that has an end.
    ///
    /// # Errors
    /// Another instance works for some of them: names it.
    pub fn until_alone(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let leases = self.persistent.leases.clone();
        async move {
            let Some(LeasesParts { view, holdings, .. }) = leases else { return Ok(()) };
            // The leases of a run that was killed run out in one term. They are acquired in the next, even if the ledger
            // is slow.
            let patience = 2 * holdings.term().ttl();
            view.until_all_held(patience).await.map_err(|(lease, owner)| {
                format!(
                    "the lease of {lease} is held by {owner}, so that instance publishes what is waiting; to publish it \
                     here, stop all instances (`mynah instances` shows them)"
                )
            })
        }
    }

    /// Starts the pipeline.
    ///
    /// # Errors
    /// A sentence that names the problem and its fix.
    pub async fn start(settings: &Settings, polling: Polling, watch: Watch) -> Result<Self, String> {
        Self::start_with(settings, polling, watch, Telemetry::On).await
    }

    /// The same, with or without measurements.
    ///
    /// # Errors
    /// A sentence that names the problem and its fix.
    pub async fn start_with(
        settings: &Settings,
        polling: Polling,
        watch: Watch,
        telemetry: Telemetry,
    ) -> Result<Self, String> {
        for Former { was, is } in settings.former() {
            info!(old_name = was.as_str(), new_name = is.as_str(); "former setting name used");
        }
        super::prepare_engines(settings).await;
        let actors = ActorRefs::default();
        let meter = match telemetry {
            Telemetry::On => actors.meter(),
            Telemetry::Off => Meter::default(),
        };
        let of_ledger = meter.clone();
        let this = instances::this();
        let committed = move |took| of_ledger.called("ledger", "commit", took, None);
        let opened =
            ledger::open_service(&settings.place(), &this.id, Arc::new(SystemClock), committed).await;
        let Opened { ledger, leases } = opened.map_err(|error| error.to_string())?;
        let silent = pauses::recall(&*ledger, Names::of(settings).pausable()).await;
        let silent = silent.map_err(|error| error.to_string())?;
        for what in &silent {
            warn!(what:%; "still paused at startup");
        }
        let mut persistent = Persistent {
            leases: instances::leases(leases, settings.cluster, this),
            purse: Purse::new(ledger.clone(), settings.budgets.clone(), Arc::new(SystemClock)),
            ledger,
            clock: Arc::new(SystemClock),
            actors,
            upstreams: Upstreams::new(BREAKER, settings.translator.pool_size),
            pauses: Pauses::new(silent),
            blocks: Blocks::default(),
            shared_cache: super::shared_cache(settings, &meter)?,
            meter,
            watch,
            buckets: HashMap::new(),
        };
        let targets = super::targets(settings).map_err(|error| error.to_string())?;
        let parts = persistent.parts(settings, polling, &targets, settings.translator.pool_size)?;
        let warm_up = persistent.warm_up(settings, &parts, targets.clone())?;
        let glossaries = watch_glossaries(settings, &targets);
        let configured = persistent.configure(settings, &(parts.translators.1)(), &targets);
        let pipeline = Pipeline::start(parts);
        let warming = actix_rt::spawn(warm_up.run());
        let watching_cache = persistent.shared_cache.clone().map(|shared| actix_rt::spawn(shared.watch()));
        let retention = persistent.remove_texts(settings);
        let (settings, in_force) = (settings.clone(), Arc::default());
        Ok(Self {
            pipeline,
            settings,
            configured,
            persistent,
            in_force,
            glossaries,
            warming,
            watching_cache,
            retention,
        })
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The ledger.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        self.persistent.ledger.clone()
    }

    /// The part of the settings that operators' requests need.
    pub fn configured(&self) -> &Configured {
        &self.configured
    }

    /// What the state of the service is read from; `configured` receives reloaded settings.
    pub fn overview(&self, configured: watch::Receiver<Configured>) -> Overview {
        Overview {
            configured,
            pauses: self.persistent.pauses.clone(),
            blocks: self.persistent.blocks.clone(),
            upstreams: self.persistent.upstreams.clone(),
            shortages: self.persistent.purse.shortages().clone(),
            shared_cache: self.persistent.shared_cache.clone(),
            health: self.pipeline.health.clone(),
            ledger: self.persistent.ledger.clone(),
            reloads: Reloads::started(),
            holdings: self.persistent.holdings(),
            view: self.persistent.leases.as_ref().map(|leases| leases.view.clone()),
            news: News::new(self.persistent.ledger.clone(), self.persistent.leases.is_some()),
        }
    }

    /// Does what other instances were asked to do, for as long as it is polled.
    pub fn follow_news(
        &self,
        overview: &Overview,
        reload: mpsc::Sender<ReloadRequest>,
    ) -> impl Future<Output = ()> + use<> {
        Follower {
            news: overview.news.clone(),
            pauses: overview.pauses.clone(),
            configured: overview.configured.clone(),
            router: self.pipeline.actors.router.clone(),
            supervisor: self.pipeline.supervisor.clone(),
            pipeline: self.pipeline.handle.clone(),
            reload,
        }
        .follow()
    }

    /// Tells other instances where this one's admin API listens.
    pub fn set_admin(&self, address: SocketAddr) {
        if let Some(leases) = &self.persistent.leases {
            leases.view.set_admin(address.to_string());
        }
    }

    /// Puts new settings in force, as far as a running service can. A pool that a person resized keeps its size unless
    /// the new settings change the setting. The engines are those that [`prepare_engines`](super::prepare_engines) prepared
    /// before, which may take minutes. Credentials that changed are to be tried afterwards, which may take a while.
    ///
    /// # Errors
    /// A sentence that names the problem and its fix; nothing has changed then.
    pub async fn reload(&mut self, new: Settings) -> Result<(Reloaded, Credentials), String> {
        let secrets = self.settings.changed_secrets(&new);
        let (new, differences) = self.settings.updated_with(new);
        let (changed, after_restart): (Vec<_>, Vec<_>) = differences.into_iter().partition(Change::is_live);
        let pool_size = if changed.iter().any(|change| change.key == "translator.pool_size") {
            new.translator.pool_size
        } else {
            self.pipeline.handle.pool_size().await
        };
        let targets = super::targets(&new).map_err(|error| error.to_string())?;
        let parts = self.persistent.parts(&new, Polling::Continuous, &targets, pool_size)?;
        let warm_up = self.persistent.warm_up(&new, &parts, targets.clone())?;
        let engines = (parts.translators.1)();
        // The new translators decide by it.
        self.configured = self.persistent.configure(&new, &engines, &targets);
        self.pipeline.handle.reconfigure(parts).await.map_err(|stopping| stopping.to_string())?;
        self.in_force = Arc::default();
        if let Some(glossaries) = std::mem::replace(&mut self.glossaries, watch_glossaries(&new, &targets)) {
            glossaries.abort();
        }
        std::mem::replace(&mut self.warming, actix_rt::spawn(warm_up.run())).abort();
        if let Some(before) = std::mem::replace(&mut self.retention, self.persistent.remove_texts(&new)) {
            before.abort();
        }
        self.settings = new;
        for Change { key, before, after } in &changed {
            info!(key = key.as_str(), before = before.as_str(), after = after.as_str(); "setting changed");
        }
        for Change { key, before, after } in &after_restart {
            warn!(key = key.as_str(), before = before.as_str(), after = after.as_str(); "setting change deferred to restart");
        }
        for SecretChange { name, .. } in &secrets {
            info!(name = name.as_str(); "secret changed");
        }
        info!(changed = changed.len(), after_restart = after_restart.len(); "settings reloaded");
        let Persistent { ledger, actors, upstreams, blocks, .. } = &self.persistent;
        let pipeline = credentials::Pipeline {
            ledger: ledger.clone(),
            router: actors.router.clone(),
            upstreams: upstreams.clone(),
            engines,
            in_force: Arc::downgrade(&self.in_force),
        };
        let is_blocked = |account: &AccountId| blocks.is_blocked(account);
        let credentials = Credentials::of(&self.settings, secrets, is_blocked, pipeline);
        Ok((Reloaded { changed, after_restart }, credentials))
    }

    /// Waits until the service stops by itself because it cannot continue; returns the reason, for a person.
    pub async fn ended(&mut self) -> String {
        self.pipeline.ended().await
    }

    /// Stops everything in order and waits until it has stopped.
    pub async fn stop(self) {
        if let Some(glossaries) = self.glossaries {
            glossaries.abort();
        }
        self.warming.abort();
        if let Some(watching) = self.watching_cache {
            watching.abort();
        }
        if let Some(retention) = self.retention {
            retention.abort();
        }
        self.pipeline.stop().await;
    }
}

fn watch_glossaries(settings: &Settings, targets: &[Target]) -> Option<JoinHandle<()>> {
    let files = settings.targets.iter().map(|settings| settings.glossary.clone()).zip(targets);
    // Targets with the same file share the glossary.
    let files: BTreeMap<_, _> =
        files.filter_map(|(file, target)| Some((file?, target.masking.glossary.clone()))).collect();
    let files: Vec<_> = files.into_iter().collect();
    (!files.is_empty()).then(|| actix_rt::spawn(glossary::watch(files)))
}

impl Persistent {
    /// What this instance works for.
    pub(super) fn holdings(&self) -> Holdings {
        self.leases.as_ref().map_or(Holdings::Everything, |leases| Holdings::Leased(leases.holdings.clone()))
    }

    /// Applies what the parts of a pipeline do not contain, and returns what is configured.
    fn configure(&self, settings: &Settings, engines: &[Rc<dyn Engine>], targets: &[Target]) -> Configured {
        let configured = Configured { judged_by: targets.into(), ..Configured::of(settings, engines) };
        self.blocks.retain(|account| configured.targets.iter().any(|target| target.account == *account));
        let refusals = self.upstreams.refusals();
        refusals.set_fallback(settings.engine.fallback);
        refusals.reconfigured(&configured.engines);
        for engine in &configured.engines {
            self.upstreams.reconsider(engine);
        }
        for engine in configured.unused_engines() {
            refusals.unusable(engine, OF_NO_USE);
        }
        for engine in engines {
            let pairs = super::language_pairs_of(settings, engine.name());
            if let Some(why) = engine.impairment(&pairs) {
                refusals.unusable(engine.name(), &why);
            } else if pairs.iter().any(|(from, to)| engine.supports(*from, *to))
                && let Some(pairs) = unsupported(&**engine, &pairs)
            {
                warn!(engine = engine.name(), pairs = pairs.as_str(); "language pairs not supported");
            }
        }
        configured
    }

    /// Starts to remove the texts of old posts, if the settings say so.
    fn remove_texts(&self, settings: &Settings) -> Option<JoinHandle<()>> {
        let keep = settings.ledger.retention?;
        let file = match settings.place() {
            Place::File(file) => Some(file),
            Place::Server { .. } => None,
        };
        let (ledger, clock) = (self.ledger.clone(), self.clock.clone());
        Some(Retention { ledger, file, clock, keep }.start())
    }

    /// The task that warms up the cache. It is not measured, because nobody waits for it.
    fn warm_up(&self, settings: &Settings, parts: &Parts, targets: Vec<Target>) -> Result<WarmUp, String> {
        let phrases =
            settings.cache.warm_up.as_deref().map(warm_up::phrases).transpose()?.unwrap_or_default();
        let (translator, engines) = &parts.translators;
        Ok(WarmUp {
            cache: self.actors.cache.clone(),
            cascade: EngineCascade { meter: Meter::default(), ..translator.cascade.clone() },
            engines: engines(),
            targets,
            ledger: self.ledger.clone(),
            max_entries: usize::try_from(settings.cache.max_entries).unwrap_or(usize::MAX),
            ttl: cache_ttl(settings),
            phrases,
        })
    }
}
