//! The wiring: turns settings into a pipeline. Only this module knows which adapter implements which port.
//!
//! - [`service`] runs the pipeline, and changes its settings while it runs.
//! - [`credentials`] finds out whether credentials work.
//! - [`instances`] names this instance among those that share the ledger.
//! - [`retention`] removes the texts of old posts.
//! - [`warm_up`] reads the phrases to translate in advance.

pub mod credentials;
mod instances;
mod retention;
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
    text::{Masking, Numbers, Rewriting, SharedGlossary},
};

use crate::{
    engines::EngineFactory,
    glossary::{self, LoadError},
    ledger::{self, OpenError},
    networks::Wanted,
    settings::{EngineSettings, Settings, TargetSettings},
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

/// Everything that can be paused, for these targets.
pub fn pausable(targets: &[TargetId]) -> Vec<Paused> {
    std::iter::once(Paused::Polling).chain(targets.iter().cloned().map(Paused::Target)).collect()
}

/// A cascade for use without a pipeline: it has no cache and no measurements.
pub fn cascade(settings: &Settings) -> EngineCascade {
    EngineCascade {
        cache: None,
        upstreams: Upstreams::new(BREAKER, settings.translator.pool_size),
        backoff: BACKOFF,
        clock: Arc::new(SystemClock),
        meter: ActorRefs::default().meter(),
    }
}

/// The targets, with their glossaries loaded.
///
/// # Errors
/// Names the glossary that cannot be used.
pub fn targets(settings: &Settings) -> Result<Vec<Target>, LoadError> {
    let source = Arc::new(source_profile(settings));
    settings.targets.iter().map(|settings| target(settings, source.clone())).collect()
}

/// What targets need to know about the source.
pub fn source_profile(settings: &Settings) -> SourceProfile {
    SourceProfile {
        name: settings.source.name(),
        language: settings.source.language,
        network: settings.source.network.rules(),
    }
}

fn target(settings: &TargetSettings, source: Arc<SourceProfile>) -> Result<Target, LoadError> {
    let terms = settings.glossary.as_deref().map(glossary::load).transpose()?.unwrap_or_default();
    let numbers = if settings.local_numbers {
        Numbers::Local(Rewriting::between(source.language, settings.language))
    } else {
        Numbers::AsWritten
    };
    Ok(Target {
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
            mentions: settings.mentions,
            hashtags: settings.hashtags,
            numbers,
            glossary: SharedGlossary::new(terms),
        },
        filters: settings.filters.clone(),
        media: settings.media,
        too_long: settings.too_long,
        wordless: settings.wordless,
    })
}

/// Which of the source's posts are republished.
pub fn eligibility(settings: &Settings) -> Eligibility {
    let source = &settings.source;
    Eligibility {
        trust_language: source.trust_language,
        replies: source.replies,
        quotes: source.quotes,
        polls: source.polls,
        opt_out: source.opt_out.clone(),
        filters: source.filters.clone(),
    }
}

/// What to request from the source.
fn wanted(settings: &Settings) -> Wanted {
    Wanted { reposts: settings.source.reposts }
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
    Err(format!("no engine in engine.order translates {}{fixes}", unable.join(", ")))
}
