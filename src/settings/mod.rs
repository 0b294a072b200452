//! What a person may set: `config.toml`, then `MYNAH__SECTION__KEY`, then `--set section.key=value`. All mistakes are told
//! at once, each with where it stands and how it is mended, and nothing starts with one of them.
//!
//! Secrets are no settings: they come from the environment, or from files that it names, and are never shown.

mod problem;
mod reader;
mod secrets;
mod values;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Duration,
};

use log::LevelFilter;
use mynah_domain::{Language, Tone, TooLong};
pub use problem::{Problem, SettingsError};
use reader::Reader;
use secrecy::SecretString;
use url::Url;
pub use values::{Cap, EngineName, Handle, StartAt};

use crate::x::XAuth;

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "config.toml";

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct SettingsSources {
    /// The file; [`DEFAULT_FILE`] where none is named.
    pub file: Option<PathBuf>,
    /// The environment.
    pub env: HashMap<String, String>,
    /// `section.key=value`, over everything else.
    pub overrides: Vec<String>,
}

/// Everything that is set, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The ledger's and the cache's folder.
    pub data_dir: PathBuf,
    /// Who is followed.
    pub source: SourceSettings,
    /// Where translations go; at least one.
    pub targets: Vec<TargetSettings>,
    /// Which engines translate.
    pub engine: EngineSettings,
    /// How X is called.
    pub x: XCalls,
    /// The most jobs of one target in memory.
    pub router_queue: usize,
    /// How many translators work at once, and on how many threads.
    pub translator: TranslatorSettings,
    /// What was said before.
    pub cache: CacheSettings,
    /// How much is published.
    pub publisher: PublisherSettings,
    /// How often a line of stats is logged.
    pub stats_interval: Duration,
    /// When actors are restarted.
    pub supervisor: SupervisorSettings,
    /// How the service stops.
    pub shutdown: ShutdownSettings,
    /// What is logged.
    pub log: LogSettings,
    /// Every setting in force, as text, and where it stands.
    pub origins: BTreeMap<String, (String, String)>,
}

/// Who is followed.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The handle, without `@`.
    pub account: Handle,
    /// What is spoken there.
    pub language: Language,
    /// How often it is asked for new posts.
    pub poll_interval: Duration,
    /// Where a fresh ledger begins.
    pub start: StartAt,
    /// Whether its reposts are wanted in the ledger.
    pub reposts: bool,
    /// How many posts are asked for at once, 5 to 100.
    pub page_size: usize,
    /// Who reads.
    pub auth: XAuth,
}

/// Where one translation goes.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// What is spoken there.
    pub language: Language,
    /// The handle, without `@`.
    pub account: Handle,
    /// How it is spoken.
    pub tone: Tone,
    /// What becomes of a translation that one publication cannot hold.
    pub too_long: TooLong,
    /// Publications in a UTC day.
    pub daily_cap: Cap,
    /// Publications in a UTC month.
    pub monthly_cap: Cap,
    /// Who publishes.
    pub auth: XAuth,
}

/// Which engines translate.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// In which order they are asked; at least one.
    pub order: Vec<EngineName>,
    /// Gemini; there where the order names it.
    pub gemini: Option<GeminiSettings>,
    /// Apertium.
    pub apertium: ApertiumSettings,
}

/// How Gemini is called.
#[derive(Debug, Clone)]
pub struct GeminiSettings {
    /// Where it is.
    pub base_url: Url,
    /// Which model.
    pub model: String,
    /// Whose key.
    pub key: SecretString,
    /// How long a call may take.
    pub timeout: Duration,
    /// The most items in a call.
    pub batch: usize,
    /// The most connections of a thread.
    pub connections: usize,
}

/// How Apertium is run.
#[derive(Debug, Clone)]
pub struct ApertiumSettings {
    /// Where its packages put their modes.
    pub modes_dir: PathBuf,
    /// How long a text may take.
    pub timeout: Duration,
}

/// How X is called.
#[derive(Debug, Clone)]
pub struct XCalls {
    /// Where it is.
    pub base_url: Url,
    /// How long a call may take.
    pub timeout: Duration,
    /// The most connections of a thread.
    pub connections: usize,
}

/// How many translators work at once.
#[derive(Debug, Clone, Copy)]
pub struct TranslatorSettings {
    /// How many.
    pub pool_size: usize,
    /// On how many threads.
    pub threads: usize,
}

/// What was said before.
#[derive(Debug, Clone, Copy)]
pub struct CacheSettings {
    /// The most translations.
    pub max_entries: u64,
    /// How long one is kept.
    pub ttl: Duration,
    /// How often they are written to disk.
    pub snapshot_interval: Duration,
}

/// How much is published on an account.
#[derive(Debug, Clone, Copy)]
pub struct PublisherSettings {
    /// The time between two publications.
    pub min_interval: Duration,
    /// How many may go at once after a pause.
    pub burst: usize,
}

/// When actors are restarted.
#[derive(Debug, Clone, Copy)]
pub struct SupervisorSettings {
    /// Deaths without progress that are borne.
    pub max_restarts: u32,
    /// Within this time.
    pub window: Duration,
    /// The longest first wait.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

/// How the service stops.
#[derive(Debug, Clone, Copy)]
pub struct ShutdownSettings {
    /// How long what is in hand may take to be finished.
    pub grace: Duration,
}

/// What is logged.
#[derive(Debug, Clone, Copy)]
pub struct LogSettings {
    /// From which level on.
    pub level: LevelFilter,
}

/// The defaults that a preset changes.
struct Preset {
    queue: usize,
    pool_size: usize,
    threads: usize,
    max_entries: u64,
}

impl Preset {
    const NAMES: [&'static str; 3] = ["balanced", "speed", "memory"];

    fn named(name: &str) -> Self {
        match name {
            "speed" => Self { queue: 4000, pool_size: 16, threads: 2, max_entries: 50_000 },
            "memory" => Self { queue: 100, pool_size: 1, threads: 1, max_entries: 1000 },
            _ => Self { queue: 1000, pool_size: 4, threads: 1, max_entries: 10_000 },
        }
    }
}

/// Reads and checks everything.
///
/// # Errors
/// Every problem there is, not only the first.
pub fn load(sources: &SettingsSources) -> Result<Settings, SettingsError> {
    let reader = Reader::new(sources)?;
    let settings = read(&reader, &sources.env);
    let origins = reader.origins();
    match (reader.finish(), settings) {
        (problems, Some(settings)) if problems.is_empty() => Ok(Settings { origins, ..settings }),
        (problems, _) => Err(SettingsError::new(problems)),
    }
}

/// `None` where something that cannot be done without is missing or wrong; the reader has the problem.
fn read(r: &Reader, env: &HashMap<String, String>) -> Option<Settings> {
    let preset = Preset::named(&r.one_of("preset", &Preset::NAMES, "balanced"));
    let data_dir = PathBuf::from(r.get("data_dir", "data".to_owned()));
    let network = |key: &str| drop(r.one_of(key, &["x"], "x"));

    network("source.network");
    let account = r.require::<Handle>("source.account", "set it to the handle of the account to follow");
    let language = r.get("source.language", Language::english());
    let poll_interval = r.between(
        "source.poll_interval",
        Duration::from_mins(1),
        Duration::from_secs(1)..=Duration::from_hours(24),
    );
    let start = r.get("source.start", StartAt::Now);
    let reposts = r.get("source.reposts", false);
    let page_size = r.between("source.page_size", 100, 5..=100);

    let daily = r.get("publisher.daily_cap", Cap(Some(50)));
    let monthly = r.get("publisher.monthly_cap", Cap(Some(1000)));
    let wanted: Vec<TargetKeys> = (0..r.count("targets"))
        .map(|number| {
            let key = |name: &str| format!("targets[{number}].{name}");
            network(&key("network"));
            let language = r.require(&key("language"), "set it to a language code, such as \"es\"");
            let account = r.require(&key("account"), "set it to the handle to publish on");
            let tone = r.one_of(&key("tone"), &["neutral", "formal", "informal"], "neutral");
            let too_long = r.one_of(&key("too_long"), &["thread", "hold"], "thread");
            let daily_cap = r.get(&key("daily_cap"), daily);
            let monthly_cap = r.get(&key("monthly_cap"), monthly);
            TargetKeys {
                number,
                language,
                account,
                tone: match tone.as_str() {
                    "formal" => Tone::Formal,
                    "informal" => Tone::Informal,
                    _ => Tone::Neutral,
                },
                too_long: if too_long == "hold" { TooLong::Hold } else { TooLong::Thread },
                daily_cap,
                monthly_cap,
            }
        })
        .collect();
    if r.count("targets") == 0 {
        r.problem("targets", "there is no target", "add a [[targets]] table with a language and an account");
    }
    check_accounts(r, account.as_ref(), language, &wanted);

    let order: Vec<EngineName> = r.get("engine.order", EngineName::default_order());
    if order.is_empty() {
        r.problem("engine.order", "no engine is named", "name one: order = [\"gemini\", \"apertium\"]");
    }
    let engine_timeout = r.seconds("engine.timeout", 30);
    let model = r.get("engine.gemini.model", "gemini-3.5-flash-lite".to_owned());
    let gemini_url = r.url("engine.gemini.base_url", "https://generativelanguage.googleapis.com");
    let batch = r.between("engine.gemini.batch", 20, 1..=100);
    let gemini_connections = r.between("engine.gemini.connections", 32, 1..=1000);
    let apertium = ApertiumSettings {
        modes_dir: PathBuf::from(r.get("engine.apertium.modes_dir", "/usr/share/apertium/modes".to_owned())),
        timeout: r.seconds("engine.apertium.timeout", 10),
    };
    let x_url = r.url("x.base_url", "https://api.x.com");
    let x_timeout = r.seconds("x.timeout", 20);
    let x_connections = r.between("x.connections", 16, 1..=1000);
    let router_queue = r.between("router.queue", preset.queue, 10..=1_000_000);
    let translator = TranslatorSettings {
        pool_size: r.between("translator.pool_size", preset.pool_size, 1..=256),
        threads: r.between("translator.threads", preset.threads, 1..=64),
    };
    let cache = CacheSettings {
        max_entries: r.between("cache.max_entries", preset.max_entries, 0..=10_000_000),
        ttl: r.get("cache.ttl", values::Span(Duration::from_hours(7 * 24))).0,
        snapshot_interval: r.seconds("cache.snapshot_interval", 60),
    };
    let publisher = PublisherSettings {
        min_interval: r.get("publisher.min_interval", values::Span(Duration::from_secs(5))).0,
        burst: r.between("publisher.burst", 1, 1..=1000),
    };
    let stats_interval = r.seconds("stats.interval", 30);
    let supervisor = SupervisorSettings {
        max_restarts: r.between("supervisor.max_restarts", 5, 0..=1000),
        window: r.seconds("supervisor.window", 60),
        backoff: r.get("supervisor.backoff", values::Span(Duration::from_millis(500))).0,
        backoff_max: r.seconds("supervisor.backoff_max", 30),
    };
    let shutdown = ShutdownSettings { grace: r.seconds("shutdown.grace", 20) };
    let level = r.one_of("log.level", &["off", "error", "warn", "info", "debug", "trace"], "info");
    r.one_of("log.format", &["text"], "text");

    let secrets = secrets::Secrets::new(env, r);
    let gemini_key = order.contains(&EngineName::Gemini).then(|| secrets.gemini_key());
    let auths: Vec<Option<XAuth>> =
        wanted.iter().map(|target| secrets.target(target.account.as_ref()?)).collect();
    let reader_auth = secrets.reader(auths.first().cloned().flatten());
    let gemini = match gemini_key {
        None => None,
        Some(key) => Some(GeminiSettings {
            base_url: gemini_url?,
            model,
            key: key?,
            timeout: engine_timeout,
            batch,
            connections: gemini_connections,
        }),
    };
    let targets = wanted
        .into_iter()
        .zip(auths)
        .map(|(target, auth)| {
            Some(TargetSettings {
                language: target.language?,
                account: target.account?,
                tone: target.tone,
                too_long: target.too_long,
                daily_cap: target.daily_cap,
                monthly_cap: target.monthly_cap,
                auth: auth?,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Settings {
        data_dir,
        source: SourceSettings {
            account: account?,
            language,
            poll_interval,
            start,
            reposts,
            page_size,
            auth: reader_auth?,
        },
        targets,
        engine: EngineSettings { order, gemini, apertium },
        x: XCalls { base_url: x_url?, timeout: x_timeout, connections: x_connections },
        router_queue,
        translator,
        cache,
        publisher,
        stats_interval,
        supervisor,
        shutdown,
        log: LogSettings { level: level.parse().unwrap_or(LevelFilter::Info) },
        origins: BTreeMap::new(),
    })
}

/// What stands in a target's table, as far as it could be read.
struct TargetKeys {
    number: usize,
    language: Option<Language>,
    account: Option<Handle>,
    tone: Tone,
    too_long: TooLong,
    daily_cap: Cap,
    monthly_cap: Cap,
}

/// Two targets on one account would mix two languages; a target on the source would follow itself for ever.
fn check_accounts(r: &Reader, source: Option<&Handle>, language: Language, targets: &[TargetKeys]) {
    for (index, target) in targets.iter().enumerate() {
        if target.language == Some(language) {
            r.problem(
                &format!("targets[{}].language", target.number),
                format!("it is the source's own language, {}", language.name()),
                "choose another language, or mend source.language",
            );
        }
        let Some(account) = &target.account else { continue };
        let key = format!("targets[{}].account", target.number);
        if source.is_some_and(|source| source.is(account)) {
            r.problem(
                &key,
                format!("@{account} is the followed account itself"),
                "publish on another account, one for each language",
            );
        }
        if targets[..index].iter().filter_map(|other| other.account.as_ref()).any(|other| other.is(account)) {
            r.problem(
                &key,
                format!("two targets publish on @{account}"),
                "give each target an account of its own",
            );
        }
    }
}

#[cfg(test)]
mod tests;
