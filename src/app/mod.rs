//! The wiring: turns settings into a pipeline. Only this module knows which adapter implements which port.
//!
//! - [`service`] runs the pipeline, and changes its settings while it runs.
//! - [`credentials`] finds out whether credentials work.
//! - [`instances`] names this instance among those that share the ledger.
//! - [`parts`] builds the parts of the pipeline.
//! - [`retention`] removes the texts of old posts.
//! - [`warm_up`] reads the phrases to translate in advance.

pub mod credentials;
mod instances;
mod parts;
mod retention;
pub mod service;
pub mod warm_up;

use std::{
    collections::{HashMap, hash_map::Entry},
    path::Path,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use mynah_actors::{
    cache::shared::Shared,
    pipeline::{ActorRefs, Factory},
    spending::{Purse, Spender},
    stats::Meter,
    translator::cascade::EngineCascade,
    upstreams::Upstreams,
};
use mynah_domain::{
    EngineOrder, Language, SourceProfile, Style, Target,
    backoff::Backoff,
    breaker::BreakerPolicy,
    eligibility::Eligibility,
    ports::{Engine, Ledger, SystemClock, ledger::Spending},
    text::{Glossary, Masking, Numbers, Rewriting, SharedGlossary},
};

use crate::{
    cache::RedisCache,
    engines::{EngineFactory, EngineKind},
    glossary::{self, LoadError},
    ledger::{self, OpenError},
    networks::Wanted,
    settings::{EngineSettings, Settings, SourceSettings, TargetSettings},
};

/// The waits between retries after temporary failures.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(5) };

/// When the circuit breaker opens. A trial call that was lost with its actor is soon repeated.
const BREAKER: BreakerPolicy = BreakerPolicy {
    failures: 5,
    pause: Backoff { base: Duration::from_secs(2), max: Duration::from_mins(1) },
    trial: Duration::from_mins(1),
};

/// Opens the ledger for a command.
///
/// # Errors
/// Names the ledger and the fix.
pub async fn open_ledger(settings: &Settings) -> Result<Arc<dyn Ledger>, OpenError> {
    ledger::open_for_command(&settings.place(), Arc::new(SystemClock)).await
}

/// Opens the ledger in a folder.
///
/// # Errors
/// Names the file and the fix.
pub fn open_ledger_in(data_dir: &Path) -> Result<Arc<dyn Ledger>, OpenError> {
    ledger::open(&data_dir.join("ledger.sqlite"), Arc::new(SystemClock))
}

/// The cache that instances share, if the settings name one. A server that does not answer is not an error.
///
/// # Errors
/// A sentence that names the problem and its fix.
fn shared_cache(settings: &Settings, meter: &Meter) -> Result<Option<Shared>, String> {
    let Some(address) = &settings.cache.server else { return Ok(None) };
    let cache = RedisCache::new(address.clone()).map_err(|why| format!("cache.url: {why}"))?;
    Ok(Some(Shared::new(Arc::new(cache), address.to_string(), meter.clone())))
}

/// A cascade for use without a pipeline: it has no cache and no measurements.
pub fn cascade(settings: &Settings) -> EngineCascade {
    EngineCascade {
        cache: None,
        shared: None,
        spender: None,
        upstreams: Upstreams::new(BREAKER, settings.translator.pool_size),
        backoff: BACKOFF,
        clock: Arc::new(SystemClock),
        meter: ActorRefs::default().meter(),
    }
}

/// A cascade that pays for its calls, within no budget, as `ledger` records.
pub fn paid_by(settings: &Settings, ledger: Arc<dyn Spending>) -> EngineCascade {
    let purse = Purse::new(ledger, Arc::default(), Arc::new(SystemClock));
    EngineCascade { spender: Some(spender(settings, purse)), ..cascade(settings) }
}

/// What the engines of these settings are paid with.
pub(crate) fn spender(settings: &Settings, purse: Purse) -> Spender {
    let tariffs = settings.engine.order.iter().map(|engine| (engine.name().into(), engine.tariff()));
    Spender::new(purse, tariffs.collect())
}

/// The targets, with their glossaries loaded. Targets with the same glossary share it, and those of a source its profile.
///
/// # Errors
/// Names the glossary that cannot be used.
pub fn targets(all: &Settings) -> Result<Vec<Target>, LoadError> {
    let mut profiles: HashMap<String, Arc<SourceProfile>> = HashMap::new();
    let mut glossaries: HashMap<&Path, SharedGlossary> = HashMap::new();
    let mut targets = Vec::with_capacity(all.targets.len());
    for settings in &all.targets {
        let source = &settings.source;
        let profile = profiles.entry(source.id()).or_insert_with(|| Arc::new(source_profile(source))).clone();
        let glossary = match settings.glossary.as_deref() {
            None => SharedGlossary::new(Glossary::default()),
            Some(path) => match glossaries.entry(path) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => new.insert(SharedGlossary::new(glossary::load(path)?)).clone(),
            },
        };
        targets.push(target(settings, profile, glossary, engine_order(all, settings)));
    }
    Ok(targets)
}

/// What targets need to know about a source.
pub fn source_profile(source: &SourceSettings) -> SourceProfile {
    SourceProfile { name: source.id(), language: source.language, network: source.network.rules() }
}

/// Which of the engines translate for a target.
fn engine_order(settings: &Settings, target: &TargetSettings) -> EngineOrder {
    let own = settings.engines_of(target);
    if *own == *settings.engine.names() { EngineOrder::All } else { EngineOrder::Only(own.into()) }
}

fn target(
    settings: &TargetSettings,
    source: Arc<SourceProfile>,
    glossary: SharedGlossary,
    engines: EngineOrder,
) -> Target {
    let numbers = if settings.local_numbers {
        Numbers::Local(Rewriting::between(source.language, settings.language))
    } else {
        Numbers::AsWritten
    };
    Target {
        id: settings.id(),
        source,
        network: settings.rules(),
        language: settings.language,
        account: settings.account.clone(),
        style: Style {
            tone: settings.tone,
            adapt: settings.adapt,
            instructions: settings.instructions.clone(),
        },
        masking: Masking {
            links: settings.links,
            mentions: settings.mentions,
            hashtags: settings.hashtags,
            numbers,
            glossary,
        },
        filters: settings.filters.clone(),
        media: settings.media,
        too_long: settings.too_long,
        review: settings.review,
        wordless: settings.wordless,
        link_card: settings.link_card,
        engines,
        schedule: settings.schedule.clone(),
    }
}

/// Which of a source's posts are republished.
pub fn eligibility(source: &SourceSettings) -> Eligibility {
    Eligibility {
        trust_language: source.trust_language,
        replies: source.replies,
        quotes: source.quotes,
        polls: source.polls,
        opt_out: source.opt_out.clone(),
        filters: source.filters.clone(),
        catch_up: source.catch_up,
    }
}

/// What to request from a source.
fn wanted(source: &SourceSettings) -> Wanted {
    Wanted { reposts: source.reposts, stream: source.stream }
}

/// The pairs of languages that are translated, each once.
pub fn language_pairs(settings: &Settings) -> Vec<(Language, Language)> {
    pairs_of(settings.targets.iter())
}

/// The pairs of languages of the targets that this engine translates for, each once.
pub fn language_pairs_of(settings: &Settings, engine: &str) -> Vec<(Language, Language)> {
    let uses = |target: &&TargetSettings| settings.engines_of(target).iter().any(|name| **name == *engine);
    pairs_of(settings.targets.iter().filter(uses))
}

fn pairs_of<'a>(targets: impl Iterator<Item = &'a TargetSettings>) -> Vec<(Language, Language)> {
    let mut pairs = Vec::new();
    for target in targets {
        let pair = (target.source.language, target.language);
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

/// Lets all engines get what they need before they are made, at once. What cannot be had is logged: other engines may do
/// without it.
pub async fn prepare_engines(settings: &Settings) {
    let prepared = settings.engine.order.iter().map(async |engine| {
        let pairs = language_pairs_of(settings, engine.name());
        if let Err(reason) = engine.prepare(&pairs, settings.transport).await {
            log::warn!(upstream = engine.name(), reason = reason.as_str(); "engine not prepared");
        }
    });
    join_all(prepared).await;
}

/// Makes the engines, in the order in which they are tried.
///
/// # Errors
/// If an engine cannot be used, or if no engine supports a target's languages.
pub fn engines(settings: &Settings) -> Result<Factory<Vec<Rc<dyn Engine>>>, String> {
    let EngineSettings { order, unused, .. } = &settings.engine;
    let factories: Vec<EngineFactory> =
        order.iter().map(|engine| engine.factory(settings.transport)).collect::<Result<_, _>>()?;
    let factory: Factory<Vec<Rc<dyn Engine>>> =
        Arc::new(move || factories.iter().map(|factory| factory()).collect());
    let made = factory();
    let is_unable = |target: &&TargetSettings| {
        let (own, from, to) = (settings.engines_of(target), target.source.language, target.language);
        !made
            .iter()
            .any(|engine| own.iter().any(|name| **name == *engine.name()) && engine.supports(from, to))
    };
    let targets: Vec<&TargetSettings> = settings.targets.iter().filter(is_unable).collect();
    if targets.is_empty() {
        return Ok(factory);
    }
    let unable = pairs_of(targets.iter().copied());
    let more = order.iter().filter_map(|engine| {
        let used = language_pairs_of(settings, engine.name());
        let unable: Vec<_> = unable.iter().copied().filter(|pair| used.contains(pair)).collect();
        if unable.is_empty() { None } else { engine.more_languages(&unable) }
    });
    let (keyed, free): (Vec<&dyn EngineKind>, Vec<&dyn EngineKind>) =
        unused.iter().partition(|kind| kind.needs_secret());
    let others = [(free, ""), (keyed, " with its key")].into_iter().filter(|(kinds, _)| !kinds.is_empty());
    let others = others.map(|(kinds, with)| {
        let names: Vec<String> = kinds.iter().map(|kind| format!("{:?}", kind.name())).collect();
        format!("add {}{with}", names.join(" or "))
    });
    let fixes: Vec<String> = more.chain(others).collect();
    let fixes = if fixes.is_empty() { String::new() } else { format!("; {}", fixes.join(", or ")) };
    Err(format!("{}{fixes}", without_engine(settings, &targets)))
}

/// Says that no engine translates for these targets.
fn without_engine(settings: &Settings, targets: &[&TargetSettings]) -> String {
    let (own, common): (Vec<&TargetSettings>, Vec<&TargetSettings>) =
        targets.iter().copied().partition(|target| target.engines.is_some());
    let pairs = pairs_of(common.into_iter());
    let pairs: Vec<String> = pairs.iter().map(|(from, to)| format!("{from}→{to}")).collect();
    let common =
        (!pairs.is_empty()).then(|| format!("no engine in engine.order translates {}", pairs.join(", ")));
    let own = own.into_iter().map(|target| {
        let (engines, from, to) =
            (settings.engines_of(target).join(", "), target.source.language, target.language);
        format!("none of the engines of {} ({engines}) translates {from}→{to}", target.id())
    });
    common.into_iter().chain(own).collect::<Vec<_>>().join(", and ")
}
