//! An engine that is compared with others. Each is made from settings that use no other, so that an engine without a key does not
//! keep the others from being compared.

use std::{cell::Cell, rc::Rc, sync::Arc};

use async_trait::async_trait;
use mynah_domain::{
    Language,
    ports::{CallShape, Engine, EngineError, Item, Reply, Usage},
};

use crate::{
    cli::{
        Failure, SettingsArgs,
        output::print_note,
        trial::{self, NoSettings, TrialArgs, dollars},
    },
    engines::{ConfiguredEngine, unsupported},
    settings::{Needed, Settings, SettingsSources},
};

/// An engine by the name that the settings give it.
pub(super) struct Candidate {
    pub(super) name: String,
    /// The engine, or why it cannot be used and what to do.
    pub(super) engine: Result<Metered, String>,
}

impl Candidate {
    /// Makes the engine, for these pairs of languages, each `(from, to)`.
    pub(super) async fn new(
        name: &str,
        trial: &TrialArgs,
        args: &SettingsArgs,
        pairs: &[(Language, Language)],
    ) -> Result<Self, Failure> {
        let only_engines = Some(vec![name.to_owned()]);
        let sources = SettingsSources { only_engines, ..args.sources(Needed::Engines)? };
        let engine = match trial::load(trial, &sources) {
            Ok(settings) => made(&settings, pairs).await,
            // The same settings without this engine have none, so it is its key that is missing.
            Err(NoSettings::Problems(error)) => {
                let problems =
                    error.problems.iter().map(|problem| format!("{}; {}", problem.what, problem.fix));
                Err(problems.collect::<Vec<_>>().join("; "))
            }
            Err(NoSettings::Usage(failure)) => return Err(failure),
        };
        Ok(Self { name: name.to_owned(), engine })
    }
}

/// The only engine in these settings, if it can be used for all of these pairs.
async fn made(settings: &Settings, pairs: &[(Language, Language)]) -> Result<Metered, String> {
    let Some(configured) = settings.engine.order.first() else {
        return Err("there is no such engine".into());
    };
    // An engine that cannot prepare itself may work all the same.
    if let Err(why) = configured.prepare(pairs, settings.transport).await {
        print_note(format_args!("{}: {why}", configured.name()));
    }
    let adapter = configured.factory(settings.transport)?();
    if let Some(why) = adapter.impairment(pairs) {
        return Err(why);
    }
    match unsupported(&*adapter, pairs) {
        None => Ok(Metered {
            adapter: Rc::new(Meter { engine: adapter, used: Cell::default() }),
            configured: configured.clone(),
        }),
        Some(unsupported) => {
            let missing: Vec<_> =
                pairs.iter().copied().filter(|(from, to)| !adapter.supports(*from, *to)).collect();
            let fix = configured.more_languages(&missing).map(|fix| format!("; {fix}")).unwrap_or_default();
            Err(format!("it does not translate {unsupported}{fix}"))
        }
    }
}

/// An engine whose usage is counted.
pub(super) struct Metered {
    adapter: Rc<Meter>,
    configured: Arc<dyn ConfiguredEngine>,
}

impl Metered {
    /// The engine, for a cascade.
    pub(super) fn adapter(&self) -> Rc<dyn Engine> {
        self.adapter.clone()
    }

    /// Starts to count from zero.
    pub(super) fn begin(&self) {
        self.adapter.used.take();
    }

    /// What was counted since [`begin`](Self::begin).
    pub(super) fn used(&self) -> Usage {
        self.adapter.used.get()
    }

    /// What the engine charges for this usage, in US dollars; `None` if that is not known.
    pub(super) fn price_of(&self, usage: Usage) -> Option<f64> {
        self.configured.tariff().cost(&usage).map(dollars)
    }
}

/// Adds up the usage of an engine's calls.
struct Meter {
    engine: Rc<dyn Engine>,
    used: Cell<Usage>,
}

#[async_trait(?Send)]
impl Engine for Meter {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn revision(&self) -> String {
        self.engine.revision()
    }

    fn supports(&self, from: Language, to: Language) -> bool {
        self.engine.supports(from, to)
    }

    fn composition(&self) -> CallShape {
        self.engine.composition()
    }

    fn takes_advice(&self) -> bool {
        self.engine.takes_advice()
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        let reply = self.engine.translate(items).await?;
        let mut used = self.used.get();
        used.add(reply.usage);
        self.used.set(used);
        Ok(reply)
    }
}
