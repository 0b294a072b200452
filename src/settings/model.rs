//! The settings as the service uses them: typed, and checked. `docs/configuration.md` says what each is for.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use log::LevelFilter;
pub use mynah_actors::poller::Start;
use mynah_actors::{pipeline::RestartPolicies, publisher::Threads, supervision::RestartPolicy};
use mynah_domain::{
    Language, MediaPolicy, TargetId, Tone, TooLong,
    caps::Caps,
    filters::{Filter, Filters},
    text::{Hashtags, Mentions},
};
use secrecy::SecretString;

use super::{Former, Origin};
use crate::{
    engines::{ConfiguredEngine, EngineKind},
    http_client::Transport,
    networks::{Followed, Network, Published},
    telemetry::logging::{LogFormat, ModuleLevel},
};

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which defaults were taken.
    pub preset: Preset,
    /// Where the ledger and the cache's snapshot are.
    pub data_dir: PathBuf,
    /// The account that is followed.
    pub source: SourceSettings,
    /// Where its posts are republished; at least one, each with an account of its own.
    pub targets: Vec<TargetSettings>,
    /// What translates.
    pub engine: EngineSettings,
    /// How connections are opened and reused.
    pub transport: Transport,
    /// The queue.
    pub router: RouterSettings,
    /// The workers.
    pub translator: TranslatorSettings,
    /// Stored translations.
    pub cache: CacheSettings,
    /// How fast publications go out.
    pub publisher: PublisherSettings,
    /// Measurements.
    pub stats: StatsSettings,
    /// When an actor that died is restarted.
    pub supervisor: SupervisorSettings,
    /// How it stops.
    pub shutdown: ShutdownSettings,
    /// What is logged.
    pub log: LogSettings,
    /// Where people steer it.
    pub admin: AdminSettings,
    pub(super) in_force: Vec<InForce>,
    pub(super) former: Vec<Former>,
    pub(super) secret_files: Vec<PathBuf>,
}

impl Settings {
    /// Each setting in force, as it was written, and where; secrets by name only.
    pub fn in_force(&self) -> &[InForce] {
        &self.in_force
    }

    /// The setting in force under a key, as it was written.
    pub fn value_of(&self, key: &str) -> Option<&str> {
        self.in_force.iter().find(|one| one.key == key).map(|one| one.value.as_str())
    }

    /// Settings that were written in terms of the bot that Mynah replaces, and what they became.
    pub fn former(&self) -> &[Former] {
        &self.former
    }

    /// The files that secrets were read from.
    pub fn secret_files(&self) -> &[PathBuf] {
        &self.secret_files
    }
}

/// One setting, as it was written, and where.
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
    /// More at once.
    Speed,
    /// As little memory as will do.
    Memory,
}

impl Preset {
    /// All of them, in the order in which tables of defaults have them.
    pub const ALL: [Self; 3] = [Self::Balanced, Self::Speed, Self::Memory];

    /// As settings name it.
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

/// The account that is followed.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct SourceSettings {
    /// Where the account is.
    pub network: &'static dyn Network,
    /// Its handle, without `@`.
    pub account: String,
    /// How its network is called for it.
    pub connection: Arc<dyn Followed>,
    /// The language it writes in.
    pub language: Language,
    /// Whether a short post counts as in that language, whatever language the network reports for it.
    pub trust_language: bool,
    /// How often it is asked for new posts.
    pub poll_interval: Duration,
    /// Where a fresh ledger begins.
    pub start: Start,
    /// Whether its reposts are recorded in the ledger; they are not republished.
    pub reposts: bool,
    /// Whether its replies to others are republished.
    pub replies: bool,
    /// Whether its quotes of other posts are republished.
    pub quotes: bool,
    /// What marks a post that is not republished.
    pub opt_out: Option<Filter>,
    /// Which of its posts are republished.
    pub filters: Filters,
    /// How many posts are asked for at once.
    pub page_size: usize,
}

impl SourceSettings {
    /// Its name in the ledger and in logs: `x:example`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.network.name(), self.account.to_lowercase())
    }
}

/// Where one translation goes.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// Where the account is.
    pub network: &'static dyn Network,
    /// Its handle, without `@`.
    pub account: String,
    /// How its network is called for it.
    pub connection: Arc<dyn Published>,
    /// The language that is published there.
    pub language: Language,
    /// The form of address.
    pub tone: Tone,
    /// Whether units, idioms and examples may be adapted to what readers there know.
    pub adapt: bool,
    /// What else the owner wants of translations, in their words.
    pub instructions: String,
    /// What becomes of mentions.
    pub mentions: Mentions,
    /// What becomes of hashtags.
    pub hashtags: Hashtags,
    /// A file with terms that are always translated in the same way.
    pub glossary: Option<PathBuf>,
    /// Which of the republished posts are published there.
    pub filters: Filters,
    /// What becomes of pictures and films.
    pub media: MediaPolicy,
    /// What happens to a translation that is too long for one publication.
    pub too_long: TooLong,
    /// Its own caps where it has them, else the publisher's.
    pub caps: Caps,
}

impl TargetSettings {
    /// Its name in the ledger and in logs.
    pub fn id(&self) -> TargetId {
        TargetId::new(self.network.name(), &self.account)
    }
}

/// What translates.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// At least one, each name once; the next is tried where one cannot.
    pub order: Vec<Arc<dyn ConfiguredEngine>>,
    /// The kinds of engines that could be added.
    pub unused: Vec<&'static dyn EngineKind>,
}

impl EngineSettings {
    /// The longest that one call to any of them may take.
    pub fn longest_call(&self) -> Duration {
        self.order.iter().map(|engine| engine.longest_call()).max().unwrap_or_default()
    }

    /// Their names, in the order in which they are tried.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.order.iter().map(|engine| engine.name().into()).collect()
    }
}

/// The queue.
#[derive(Debug, Clone, Copy)]
pub struct RouterSettings {
    /// The most jobs of one target that are held in memory.
    pub queue: usize,
}

/// The workers.
#[derive(Debug, Clone, Copy)]
pub struct TranslatorSettings {
    /// How many translate at once.
    pub pool_size: usize,
    /// On how many threads; never more than there are workers.
    pub arbiters: usize,
}

/// Stored translations.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// The most that are stored.
    pub max_entries: u64,
    /// How long.
    pub ttl: Duration,
    /// How often they are written to disk.
    pub snapshot_interval: Duration,
    /// A file of phrases that are translated before they are posted.
    pub warm_up: Option<PathBuf>,
}

/// How fast publications go out, for each target. Caps are with the targets.
#[derive(Debug, Clone, Copy)]
pub struct PublisherSettings {
    /// The time between two publications; zero is no limit.
    pub min_interval: Duration,
    /// How many may go at once after a pause.
    pub burst: usize,
    /// How long a job that does not go on may keep those behind it waiting.
    pub order_patience: Duration,
    /// What happens to a part of a thread where there is nothing that it may answer.
    pub threads: Threads,
    /// How long a message takes at most to show on its account.
    pub settle: Duration,
}

/// Measurements.
#[derive(Debug, Clone, Copy)]
pub struct StatsSettings {
    /// How often a line is logged.
    pub interval: Duration,
}

/// The sorts of actors, as settings name them.
pub(super) const ACTORS: [&str; 6] = ["poller", "router", "translator", "cache", "publisher", "stats"];

/// When an actor that died or hangs is restarted.
#[derive(Debug, Clone, Copy)]
pub struct SupervisorSettings {
    /// For the supervisor itself, and what holds where an actor has nothing of its own.
    pub policy: RestartPolicy,
    /// For each sort of actor.
    pub actors: RestartPolicies,
    /// How long an actor may be at work without getting anything done.
    pub patience: Duration,
    /// How long nothing at all may move, without a reason, before the pipeline counts as stalled.
    pub stalled_after: Duration,
}

/// How it stops.
#[derive(Debug, Clone, Copy)]
pub struct ShutdownSettings {
    /// How long what is in hand may take to end.
    pub grace: Duration,
}

/// What is logged.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// From which level on.
    pub level: LevelFilter,
    /// Where it is another.
    pub modules: Vec<ModuleLevel>,
    /// In which form.
    pub format: LogFormat,
}

/// Where people steer it.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Where the admin API listens; `None` where there is none.
    pub listen: Option<SocketAddr>,
    /// What whoever uses it must know; always there where others than this machine can reach it.
    pub token: Option<SecretString>,
}
