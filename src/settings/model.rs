//! The settings as the service uses them: typed and checked. `docs/configuration.md` explains each.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use log::LevelFilter;
pub use mynah_actors::poller::Start;
use mynah_actors::{
    pipeline::RestartPolicies, publisher::Threads, supervision::RestartPolicy, upstreams::refusals::Fallback,
};
use mynah_domain::{
    AccountId, Language, MediaPolicy, TargetId, Tone, TooLong, Wordless,
    budget::Budgets,
    caps::Caps,
    catch_up::CatchUpPolicy,
    filters::{Filter, Filters},
    network::{NetworkRules, Priced},
    review::ReviewPolicy,
    schedule::Schedule,
    text::{Hashtags, Links, Mentions},
};
use secrecy::SecretString;

use super::{Former, Origin};
use crate::{
    alerts::{AlertsSettings, situation::LoginEnd},
    cache,
    credentials::Logins,
    engines::{ConfiguredEngine, EngineKind},
    http_client::Transport,
    ledger::{Place, postgres::Address},
    networks::{Followed, Network, Published},
    telemetry::logging::{LogFormat, ModuleLevel},
};

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The preset that chose the defaults.
    pub preset: Preset,
    /// The folder of the ledger and the cache's snapshot.
    pub data_dir: PathBuf,
    /// The followed accounts; at least one, each account once.
    pub sources: Vec<Arc<SourceSettings>>,
    /// Where their posts are republished; at least one for each source.
    pub targets: Vec<TargetSettings>,
    /// Settings for the translation engines.
    pub engine: EngineSettings,
    /// How connections are opened and reused.
    pub transport: Transport,
    /// Settings for the router actor, which holds the queue.
    pub router: RouterSettings,
    /// Settings for the translator pool.
    pub translator: TranslatorSettings,
    /// Settings for the cache of translations.
    pub cache: CacheSettings,
    /// Settings for the ledger.
    pub ledger: LedgerSettings,
    /// Settings for several instances that share a ledger.
    pub cluster: ClusterSettings,
    /// Settings for the publishers.
    pub publisher: PublisherSettings,
    /// Settings for the stats actor.
    pub stats: StatsSettings,
    /// Settings for the supervisor.
    pub supervisor: SupervisorSettings,
    /// Settings for shutdown.
    pub shutdown: ShutdownSettings,
    /// Settings for the log.
    pub log: LogSettings,
    /// Settings for the admin API.
    pub admin: AdminSettings,
    /// Who is notified of what is wrong, and when.
    pub alerts: AlertsSettings,
    /// The most money that may be spent.
    pub budgets: Arc<Budgets>,
    pub(super) in_force: Vec<InForce>,
    pub(super) former: Vec<Former>,
    /// Every secret that was found, by its variable, to notice changed ones. `Debug` shows none.
    pub(super) secrets: BTreeMap<String, SecretString>,
    pub(super) secret_files: Vec<PathBuf>,
    pub(super) logins: Logins,
}

impl Settings {
    /// Every setting in force, as it was written, and where; secrets by name only.
    pub fn in_force(&self) -> &[InForce] {
        &self.in_force
    }

    /// Where the ledger is.
    pub fn place(&self) -> Place {
        Place::of(&self.data_dir, self.ledger.server.as_ref())
    }

    /// The setting in force under a key, as it was written.
    pub fn value_of(&self, key: &str) -> Option<&str> {
        self.in_force.iter().find(|one| one.key == key).map(|one| one.value.as_str())
    }

    /// Settings of the bot that Mynah replaces, and what they became.
    pub fn former(&self) -> &[Former] {
        &self.former
    }

    /// The targets of a source, in order.
    pub fn targets_of<'a>(&'a self, source: &'a SourceSettings) -> impl Iterator<Item = &'a TargetSettings> {
        let id = source.id();
        self.targets.iter().filter(move |target| target.source.id() == id)
    }

    /// The names of the engines that translate for a target, in the order in which they are tried.
    pub fn engines_of<'a>(&'a self, target: &'a TargetSettings) -> &'a [Arc<str>] {
        target.engines.as_deref().unwrap_or(&self.engine.common)
    }

    /// What `mynah login` stored, if the command needs secrets.
    pub fn logins(&self) -> &Logins {
        &self.logins
    }

    /// The stored logins in use that have an end. A variable that is set wins over the store.
    pub fn ending_logins(&self) -> Vec<LoginEnd> {
        let is_used = |variable: &String| {
            self.in_force.iter().any(|one| one.key == *variable && one.origin == Origin::Store)
        };
        let ending = self.logins.iter().filter(|login| login.secrets.keys().any(is_used));
        let end = ending.filter_map(|login| {
            let (network, account) = (login.network.clone(), login.account.clone());
            Some(LoginEnd { network, account, ends: login.expires? })
        });
        end.collect()
    }

    /// The files that secrets were read from.
    pub fn secret_files(&self) -> &[PathBuf] {
        &self.secret_files
    }
}

/// A setting in force, as it was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// `source.poll_interval`, `targets[0].tone`, or a secret's name.
    pub key: String,
    /// As it was written; `(secret)` for a secret.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// A set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Preset {
    /// For a small server.
    #[default]
    Balanced,
    /// For throughput.
    Speed,
    /// For the least memory.
    Memory,
}

impl Preset {
    /// All presets, in the order of the tables of defaults.
    pub const ALL: [Self; 3] = [Self::Balanced, Self::Speed, Self::Memory];

    /// Its name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Speed => "speed",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The followed account.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate setting")]
pub struct SourceSettings {
    /// What people call it; the only source may have no name.
    pub name: Option<String>,
    /// The account's network.
    pub network: &'static dyn Network,
    /// Its handle, without `@`.
    pub account: String,
    /// Its connection to the network.
    pub connection: Arc<dyn Followed>,
    /// The language it posts in.
    pub language: Language,
    /// Whether a short post counts as in that language, whatever language the network reports for it.
    pub trust_language: bool,
    /// How often Mynah asks for new posts.
    pub poll_interval: Duration,
    /// Whether a stream reports new posts at once, between the polls.
    pub stream: bool,
    /// Where a new ledger begins.
    pub start: Start,
    /// Whether its reposts are recorded in the ledger; they are not republished.
    pub reposts: bool,
    /// Whether its replies to other accounts are republished.
    pub replies: bool,
    /// Whether its quote posts are republished.
    pub quotes: bool,
    /// Whether its posts with a poll are republished, with the options as text.
    pub polls: bool,
    /// Marks posts that are not republished.
    pub opt_out: Option<Filter>,
    /// Which of its posts are republished.
    pub filters: Filters,
    /// Which posts are republished that came while the source was not read.
    pub catch_up: CatchUpPolicy,
    /// The number of posts per request.
    pub page_size: usize,
}

impl SourceSettings {
    /// Its id in the ledger and in logs: `x:example`.
    pub fn id(&self) -> String {
        format!("{}:{}", self.network.name(), self.account.to_lowercase())
    }

    /// What people call it: its name, or its id if it has none.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id())
    }
}

/// Where translations into one language are published.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate setting")]
pub struct TargetSettings {
    /// The source whose posts are republished.
    pub source: Arc<SourceSettings>,
    /// Tells targets apart that share an account.
    pub name: Option<String>,
    /// The account's network.
    pub network: &'static dyn Network,
    /// Its handle, without `@`.
    pub account: String,
    /// Its connection to the network.
    pub connection: Arc<dyn Published>,
    /// The language to publish in.
    pub language: Language,
    /// The form of address.
    pub tone: Tone,
    /// Whether measures, idioms and examples may be adapted for local readers.
    pub adapt: bool,
    /// Anything else that translations should observe, in the owner's words.
    pub instructions: String,
    /// What to do with mentions.
    pub mentions: Mentions,
    /// What to do with links.
    pub links: Links,
    /// What to do with hashtags.
    pub hashtags: Hashtags,
    /// Whether numbers are written as readers of the language write them, and not as in the post.
    pub local_numbers: bool,
    /// A file of terms with a fixed translation.
    pub glossary: Option<PathBuf>,
    /// Which of the republished posts this target publishes.
    pub filters: Filters,
    /// What to do with pictures and videos.
    pub media: MediaPolicy,
    /// What to do with a translation that is too long for one publication.
    pub too_long: TooLong,
    /// Whether the account may publish longer posts than others on its network.
    pub long_posts: bool,
    /// Which translations a person must approve.
    pub review: ReviewPolicy,
    /// What to do with posts without words.
    pub wordless: Wordless,
    /// Whether links get cards, on a network where whoever publishes adds them.
    pub link_card: bool,
    /// The names of the engines that translate for it, if it has a list of its own: see [`Settings::engines_of`].
    pub engines: Option<Vec<Arc<str>>>,
    /// Its own caps, or the publisher's.
    pub caps: Caps,
    /// When it publishes.
    pub schedule: Schedule,
}

impl TargetSettings {
    /// Its id in the ledger and in logs: that of its account, with its name if it has one.
    pub fn id(&self) -> TargetId {
        match &self.name {
            Some(name) => TargetId::new(self.network.name(), &format!("{}~{name}", self.account)),
            None => TargetId::new(self.network.name(), &self.account),
        }
    }

    /// Its account, which other targets may share.
    pub fn account_id(&self) -> AccountId {
        AccountId::new(self.network.name(), &self.account)
    }

    /// The rules by which its translations are weighed, split and published.
    pub fn rules(&self) -> Arc<dyn NetworkRules> {
        let long = if self.long_posts { self.network.rules_for_long_posts() } else { None };
        let rules = long.or_else(|| self.connection.rules()).unwrap_or_else(|| self.network.rules());
        match self.connection.message_price() {
            Some(price) if price != rules.price() => Arc::new(Priced::new(rules, price)),
            _ => rules,
        }
    }
}

/// Settings for the translation engines.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// All that are used, at least one, each name once: those of `engine.order`, unless every target has a list of its own, and
    /// then those that only targets name.
    pub order: Vec<Arc<dyn ConfiguredEngine>>,
    /// The names of those that translate for a target without a list of its own; if one fails, the next is tried.
    pub common: Vec<Arc<str>>,
    /// The names of all sections, used or not.
    pub sections: Vec<String>,
    /// The kinds of engines that are not used.
    pub unused: Vec<&'static dyn EngineKind>,
    /// The settings of those among them that could be used, for commands that prepare them.
    pub spare: Vec<Arc<dyn ConfiguredEngine>>,
    /// The variables that may hold the secret of each engine that is used, by its name.
    pub secrets: BTreeMap<String, Vec<String>>,
    /// Whether the next engine may translate what an engine refuses.
    pub fallback: Fallback,
}

impl EngineSettings {
    /// The longest that one call to any engine may take.
    pub fn longest_call(&self) -> Duration {
        self.order.iter().map(|engine| engine.longest_call()).max().unwrap_or_default()
    }

    /// The engines' names, in the order in which they are tried.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.order.iter().map(|engine| engine.name().into()).collect()
    }
}

/// Settings for the router actor, which holds the queue.
#[derive(Debug, Clone, Copy)]
pub struct RouterSettings {
    /// The maximum number of jobs per target in memory.
    pub queue: usize,
}

/// Settings for the translator pool.
#[derive(Debug, Clone, Copy)]
pub struct TranslatorSettings {
    /// The number of workers.
    pub pool_size: usize,
    /// The number of threads for them; at most the number of workers.
    pub arbiters: usize,
}

/// Settings for the cache of translations.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// The maximum number of translations.
    pub max_entries: u64,
    /// How long a translation is valid.
    pub ttl: Duration,
    /// How often the cache is written to disk.
    pub snapshot_interval: Duration,
    /// A file of phrases to translate in advance.
    pub warm_up: Option<PathBuf>,
    /// The server of the cache that instances share, if there is one.
    pub server: Option<cache::Address>,
}

/// Settings for the ledger.
#[derive(Debug, Clone)]
pub struct LedgerSettings {
    /// The server that has it; `None` for the file in the data directory.
    pub server: Option<Address>,
    /// How long texts stay on record after their jobs are published or skipped; `None` for good.
    pub retention: Option<Duration>,
}

/// How fast each target publishes. Caps are in [`TargetSettings`].
#[derive(Debug, Clone, Copy)]
pub struct PublisherSettings {
    /// The time between two publications; zero means no limit.
    pub min_interval: Duration,
    /// How many publications are allowed at once after a pause.
    pub burst: usize,
    /// How long a stuck job may block the jobs behind it.
    pub order_patience: Duration,
    /// What to do with a part of a thread that has nothing to reply to.
    pub threads: Threads,
    /// The longest until a published message is visible on its account.
    pub settle: Duration,
}

/// Settings for the stats actor.
#[derive(Debug, Clone, Copy)]
pub struct StatsSettings {
    /// How often a line of stats is logged.
    pub interval: Duration,
}

/// The kinds of actors, as settings name them.
pub(super) const ACTORS: [&str; 6] = ["poller", "router", "translator", "cache", "publisher", "stats"];

/// When the supervisor restarts an actor that died or hangs.
#[derive(Debug, Clone, Copy)]
pub struct SupervisorSettings {
    /// For the supervisor itself, and the default for actors.
    pub policy: RestartPolicy,
    /// For each kind of actor.
    pub actors: RestartPolicies,
    /// How long a busy actor may go without progress.
    pub patience: Duration,
    /// How long nothing may move, without a reason, before the pipeline counts as stalled.
    pub stalled_after: Duration,
}

/// Settings for several instances that share a ledger.
#[derive(Debug, Clone, Copy)]
pub struct ClusterSettings {
    /// How long a lease on a source or an account lasts.
    pub lease: Duration,
}

/// Settings for shutdown.
#[derive(Debug, Clone, Copy)]
pub struct ShutdownSettings {
    /// How long work in progress may take to finish.
    pub grace: Duration,
}

/// Settings for the log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The lowest level that is logged.
    pub level: LevelFilter,
    /// Levels of single modules, where they differ.
    pub modules: Vec<ModuleLevel>,
    /// The log's format.
    pub format: LogFormat,
}

/// Settings for the admin API.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Where the admin API listens; `None` if it is off.
    pub listen: Option<SocketAddr>,
    /// The token that callers must send; always set if other machines can reach the API.
    pub token: Option<SecretString>,
}
