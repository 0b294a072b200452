//! The settings as the service uses them: typed, checked, and with nothing left to be wrong. What each is for stands in
//! `docs/configuration.md`.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use log::LevelFilter;
use mynah_actors::{
    publisher::Threads,
    supervision::{RestartPolicies, RestartPolicy},
};
use mynah_domain::{
    Language, MediaPolicy, PostId, TargetId, Tone, TooLong,
    caps::Caps,
    filters::{Filter, Filters},
    text::{Hashtags, Mentions},
};
use secrecy::SecretString;

use super::{Former, Place};
use crate::{
    engines::{ConfiguredEngine, EngineKind},
    http_client::Transport,
    networks::x::{XAuth, auth::OAuth1, client::XSettings},
    telemetry::logging::{LogFormat, ModuleLevel},
};

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which defaults were taken.
    pub preset: Preset,
    /// Where the ledger and the cache's snapshot are.
    pub data_dir: PathBuf,
    /// Whose posts.
    pub source: SourceSettings,
    /// Who reads them.
    pub read_auth: XReadAuth,
    /// Where they are said again; at least one, each on an account of its own.
    pub targets: Vec<TargetSettings>,
    /// What translates.
    pub engine: EngineSettings,
    /// How X is called.
    pub x: XSettings,
    /// How connections are made and kept.
    pub transport: Transport,
    /// The hosts that the source's pictures and films live on.
    pub media_hosts: Vec<String>,
    /// The queue.
    pub router: RouterSettings,
    /// The workers.
    pub translator: TranslatorSettings,
    /// Translations that are kept.
    pub cache: CacheSettings,
    /// How fast publications go out.
    pub publisher: PublisherSettings,
    /// Measurements.
    pub stats: StatsSettings,
    /// When an actor that died is built anew.
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

    /// What was said in words of the bot that Mynah replaces, and for what it was taken.
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
    /// Who decided.
    pub place: Place,
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

/// Where accounts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// X, once Twitter.
    #[default]
    X,
}

/// The networks by their names in the settings.
pub(super) const NETWORKS: [(&str, Network); 1] = [("x", Network::X)];

impl Network {
    /// As settings and the ledger name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X => "x",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose posts are said again.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct SourceSettings {
    /// Where the account is.
    pub network: Network,
    /// Its handle, without `@`.
    pub account: String,
    /// The language it speaks.
    pub language: Language,
    /// Whether a short post counts as in that language, whatever language the network reports for it.
    pub trust_language: bool,
    /// How often it is asked for new posts.
    pub poll_interval: Duration,
    /// Where a fresh ledger begins.
    pub start: Start,
    /// Whether its reposts are wanted in the ledger; they are not said again.
    pub reposts: bool,
    /// Whether its answers to others are said again.
    pub replies: bool,
    /// Whether what it says about other posts is said again.
    pub quotes: bool,
    /// What marks a post that is not said again.
    pub opt_out: Option<Filter>,
    /// What is said again of it.
    pub filters: Filters,
    /// How many posts are asked for at once.
    pub page_size: usize,
}

/// Where a fresh ledger begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With what is said from now on.
    Now,
    /// With the oldest post that the source still shows.
    Beginning,
    /// After this post.
    After(PostId),
    /// With what was said from this moment on.
    From(Timestamp),
}

/// Where one translation goes.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// Where the account is.
    pub network: Network,
    /// Its handle, without `@`.
    pub account: String,
    /// The language spoken there.
    pub language: Language,
    /// The form of address.
    pub tone: Tone,
    /// Whether measures, idioms and examples may be said as readers there know them.
    pub adapt: bool,
    /// What else the owner wants of translations, in their words.
    pub instructions: String,
    /// What becomes of mentions.
    pub mentions: Mentions,
    /// What becomes of hashtags.
    pub hashtags: Hashtags,
    /// A file with the terms that are always said in the same way.
    pub glossary: Option<PathBuf>,
    /// What is said there, of what is said at all.
    pub filters: Filters,
    /// What becomes of pictures and films.
    pub media: MediaPolicy,
    /// What happens to a translation that is too long for one publication.
    pub too_long: TooLong,
    /// Its own caps where it has them, else the publisher's.
    pub caps: Caps,
    /// Who publishes.
    pub auth: XUserAuth,
}

impl TargetSettings {
    /// Its name in the ledger and in logs.
    pub fn id(&self) -> TargetId {
        TargetId::new(self.network.as_str(), &self.account)
    }
}

/// An account's proof of itself to X.
#[derive(Debug, Clone)]
pub enum XUserAuth {
    /// OAuth 1.0a: the app's two parts and the account's two.
    OAuth1 {
        /// The app's key.
        consumer_key: SecretString,
        /// The app's secret.
        consumer_secret: SecretString,
        /// The account's token.
        token: SecretString,
        /// The account's token secret.
        token_secret: SecretString,
    },
    /// OAuth 2.0, as the user.
    OAuth2 {
        /// The account's token.
        token: SecretString,
    },
}

/// Who reads the source on X.
#[derive(Debug, Clone)]
pub enum XReadAuth {
    /// The app, which may read and do nothing else.
    Bearer(SecretString),
    /// An account.
    User(XUserAuth),
}

impl From<XUserAuth> for XAuth {
    fn from(auth: XUserAuth) -> Self {
        match auth {
            XUserAuth::OAuth1 { consumer_key, consumer_secret, token, token_secret } => {
                Self::User1(Box::new(OAuth1 { consumer_key, consumer_secret, token, token_secret }))
            }
            XUserAuth::OAuth2 { token } => Self::User2(token),
        }
    }
}

impl From<XReadAuth> for XAuth {
    fn from(auth: XReadAuth) -> Self {
        match auth {
            XReadAuth::Bearer(token) => Self::App(token),
            XReadAuth::User(user) => user.into(),
        }
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

/// Translations that are kept.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// The most that are kept.
    pub max_entries: u64,
    /// How long.
    pub ttl: Duration,
    /// How often they are written to disk.
    pub snapshot_interval: Duration,
    /// A file of phrases that are to be known before they are said.
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

/// When an actor that died or hangs is built anew.
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
