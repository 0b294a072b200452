//! The wiring: the one place that knows which adapter stands behind which port, and turns settings into a pipeline.
//!
//! - [`service`]: the pipeline of some settings, and of others while it runs.
//! - [`warm_up`]: what the cache is to know before it is asked.

pub mod service;
pub mod warm_up;

use std::{path::Path, rc::Rc, sync::Arc, time::Duration};

use mynah_actors::{
    pauses::Paused,
    pipeline::{ActorRefs, Factory},
    translator::cascade::EngineCascade,
    upstreams::Upstreams,
};
use mynah_domain::{
    SourceProfile, Style, Target, TargetId,
    backoff::Backoff,
    breaker::BreakerPolicy,
    eligibility::Eligibility,
    ports::{Engine, Ledger, SystemClock},
    text::{Masking, SharedGlossary},
};

use crate::{
    engines::EngineFactory,
    glossary::{self, LoadError},
    ledger::{self, OpenError},
    networks::Wanted,
    settings::{EngineSettings, Settings, TargetSettings},
};

/// The waits between tries of anything that fails in passing.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(5) };

/// When a service is left in peace. A trial that was lost with its actor is made up for soon.
const BREAKER: BreakerPolicy = BreakerPolicy {
    failures: 5,
    pause: Backoff { base: Duration::from_secs(2), max: Duration::from_mins(1) },
    trial: Duration::from_mins(1),
};

/// Opens the ledger of these settings.
///
/// # Errors
/// Names the file and what to do.
pub fn open_ledger(settings: &Settings) -> Result<Arc<dyn Ledger>, OpenError> {
    open_ledger_in(&settings.data_dir)
}

/// Opens the ledger of a folder.
///
/// # Errors
/// Names the file and what to do.
pub fn open_ledger_in(data_dir: &Path) -> Result<Arc<dyn Ledger>, OpenError> {
    ledger::open(&data_dir.join("ledger.sqlite"), Arc::new(SystemClock))
}

/// All that can be paused, where these are the targets.
pub fn pausable(targets: &[TargetId]) -> Vec<Paused> {
    std::iter::once(Paused::Polling).chain(targets.iter().cloned().map(Paused::Target)).collect()
}

/// How tasks are translated without a pipeline: with no cache, and no measurements.
pub fn cascade(settings: &Settings) -> EngineCascade {
    EngineCascade {
        cache: None,
        upstreams: Upstreams::new(BREAKER, settings.translator.pool_size),
        backoff: BACKOFF,
        clock: Arc::new(SystemClock),
        meter: ActorRefs::default().meter(),
    }
}

/// The targets of these settings, with their glossaries read.
///
/// # Errors
/// Names the glossary that cannot be used.
pub fn targets(settings: &Settings) -> Result<Vec<Target>, LoadError> {
    let source = Arc::new(source_profile(settings));
    settings.targets.iter().map(|settings| target(settings, source.clone())).collect()
}

/// What targets need to know of the source of these settings.
pub fn source_profile(settings: &Settings) -> SourceProfile {
    SourceProfile {
        name: settings.source.name(),
        language: settings.source.language,
        network: settings.source.network.rules(),
    }
}

fn target(settings: &TargetSettings, source: Arc<SourceProfile>) -> Result<Target, LoadError> {
    let terms = settings.glossary.as_deref().map(glossary::load).transpose()?.unwrap_or_default();
    Ok(Target {
        id: settings.id(),
        source,
        network: settings.network.rules(),
        language: settings.language,
        account: settings.account.clone(),
        style: Style {
            tone: settings.tone,
            adapt: settings.adapt,
            instructions: settings.instructions.clone(),
        },
        masking: Masking {
            mentions: settings.mentions,
            hashtags: settings.hashtags,
            glossary: SharedGlossary::new(terms),
        },
        filters: settings.filters.clone(),
        media: settings.media,
        too_long: settings.too_long,
    })
}

/// Which of the source's posts are republished.
pub fn eligibility(settings: &Settings) -> Eligibility {
    let source = &settings.source;
    Eligibility {
        trust_language: source.trust_language,
        replies: source.replies,
        quotes: source.quotes,
        opt_out: source.opt_out.clone(),
        filters: source.filters.clone(),
    }
}

/// What of the source is asked for.
fn wanted(settings: &Settings) -> Wanted {
    Wanted { reposts: settings.source.reposts }
}

/// Makes the engines of these settings, in the order they are asked in.
///
/// # Errors
/// Where one cannot be used at all, or no engine can do what a target needs.
pub fn engines(settings: &Settings) -> Result<Factory<Vec<Rc<dyn Engine>>>, String> {
    let EngineSettings { order, unused } = &settings.engine;
    let factories: Vec<EngineFactory> =
        order.iter().map(|engine| engine.factory(settings.transport)).collect::<Result<_, _>>()?;
    let factory: Factory<Vec<Rc<dyn Engine>>> =
        Arc::new(move || factories.iter().map(|factory| factory()).collect());
    let from = settings.source.language;
    let made = factory();
    let unable: Vec<String> = settings
        .targets
        .iter()
        .filter(|target| !made.iter().any(|engine| engine.supports(from, target.language)))
        .map(|target| format!("{from}→{}", target.language))
        .collect();
    if unable.is_empty() {
        return Ok(factory);
    }
    let more = order.iter().filter_map(|engine| engine.more_languages().map(str::to_owned));
    let others = unused.iter().map(|kind| {
        format!("add {:?}{}", kind.name(), if kind.secrets().is_empty() { "" } else { " with its key" })
    });
    let fixes: Vec<String> = more.chain(others).collect();
    let fixes = if fixes.is_empty() { String::new() } else { format!("; {}", fixes.join(", or ")) };
    Err(format!("no engine of engine.order translates {}{fixes}", unable.join(", ")))
}
