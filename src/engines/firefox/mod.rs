//! Firefox's translation models, in this process: neural translation at no cost, without a network, in tens of milliseconds.
//! Nothing that it translates leaves the machine.
//!
//! The library `fxtranslate` computes; everything around it is here.
//!
//! - `catalog` reads which models Mozilla offers; `pull` downloads them; `store` knows which are there.
//! - `model` checks a model's files and loads them; `pool` runs the models on a thread of their own.
//! - `line` turns a line of a post into what a model understands, and back.
//!
//! Models translate to or from English. Between two other languages, two of them do.

mod catalog;
mod line;
#[cfg(test)]
mod made_up;
mod model;
mod pool;
mod pull;
mod settings;
mod store;

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use mynah_domain::{
    Language,
    ports::engine::{CallShape, Engine, EngineError, Item, ItemError, Languages, Reply},
    text::MaskedText,
};
use ring::digest::{SHA256, digest};

use super::{
    lines::{Part, lines},
    routes::{self, Direction},
};
use pool::{Bounds, Pool};
use store::{fix, hex};

pub use catalog::{Catalog, Offer};
pub use model::{ModelError, Unusable};
pub use pull::{Progress, PullError, Pulled, pull};
pub use settings::{FirefoxKind, FirefoxSettings};
pub use store::{Installed, LICENSE, Model, Store, StoreError, pair_name, parse_direction};

/// The most texts in a call. More would keep the first ones waiting.
const AT_ONCE: usize = 16;

/// The most characters in a call: at thirty characters a sentence and twenty milliseconds each, two threads need seven seconds.
const MOST_CHARS: usize = 20_000;

/// The engine cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FirefoxError {
    /// Not by this program, or not on this processor.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The folder with the models cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its thread does not start.
    #[error("cannot start the thread of the engine firefox: {0}")]
    Thread(io::Error),
}

/// The engine. A clone is a handle to the same thread and models and may go to another thread; they end with the last one.
#[derive(Debug, Clone)]
pub struct Firefox {
    name: Arc<str>,
    pool: Pool,
    revision: Arc<str>,
    timeout: Duration,
}

impl Firefox {
    /// Finds the models that are there. None is loaded until a text needs it.
    ///
    /// # Errors
    /// The engine cannot run here, or the folder cannot be read. That there are no models is no error: nothing is supported
    /// then.
    pub fn new(settings: &FirefoxSettings) -> Result<Self, FirefoxError> {
        model::usable()?;
        Self::with_loader(settings, model::load)
    }

    fn with_loader(settings: &FirefoxSettings, load: pool::Loader) -> Result<Self, FirefoxError> {
        let FirefoxSettings { name, threads, loaded, batch, idle, timeout, .. } = settings;
        let installed = settings.store.installed()?;
        let bounds = Bounds { threads: *threads, loaded: *loaded, batch: *batch, idle: *idle };
        Ok(Self {
            name: name.clone(),
            revision: revision(&installed).into(),
            pool: Pool::start(installed, bounds, load).map_err(FirefoxError::Thread)?,
            timeout: *timeout,
        })
    }

    async fn translate_item(&self, item: &Item) -> Result<Result<MaskedText, ItemError>, EngineError> {
        let Some(route) = routes::route(self.pool.installed(), item.from, item.to) else {
            return Ok(Err(ItemError::Refused(format!(
                "no model that is there translates from {} to {}; {}",
                item.from.name(),
                item.to.name(),
                fix((item.from, item.to))
            ))));
        };
        let mut text = item.text.clone();
        for direction in route {
            text = match self.translate_text(direction, &text).await {
                Ok(text) => text,
                Err(error @ ModelError::Panicked { .. }) => {
                    return Ok(Err(ItemError::Unusable(error.to_string())));
                }
                // Only a person can help, and meanwhile another engine translates.
                Err(error @ (ModelError::Damaged { .. } | ModelError::Unusable(_))) => {
                    return Err(EngineError::Refused(error.to_string()));
                }
                Err(error) => return Err(EngineError::Unavailable(error.to_string())),
            };
        }
        Ok(Ok(text))
    }

    async fn translate_text(
        &self,
        direction: Direction,
        text: &MaskedText,
    ) -> Result<MaskedText, ModelError> {
        let translated = try_join_all(lines(text).into_iter().map(async |line| match line {
            Part::AsItIs(segments) => Ok(segments),
            Part::Line(segments) => self.pool.translate(direction, segments).await,
        }))
        .await?;
        Ok(MaskedText::from_segments(translated.into_iter().flatten()))
    }
}

#[async_trait(?Send)]
impl Engine for Firefox {
    fn name(&self) -> &str {
        &self.name
    }

    fn revision(&self) -> String {
        self.revision.to_string()
    }

    fn supports(&self, from: Language, to: Language) -> bool {
        routes::route(self.pool.installed(), from, to).is_some()
    }

    fn impairment(&self, pairs: &[(Language, Language)]) -> Option<String> {
        missing(self.pool.installed(), pairs)
    }

    fn composition(&self) -> CallShape {
        // One pair at a time, so that a damaged model spoils no other pair's call.
        CallShape::new(AT_ONCE, Languages::One).with_max_chars(MOST_CHARS)
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        let answers = join_all(items.iter().map(|item| self.translate_item(item)));
        let answers = actix_rt::time::timeout(self.timeout, answers).await.map_err(|_| {
            EngineError::Unanswered(format!(
                "no translation within {} s; raise engine.timeout, or use more threads (engine.firefox.threads)",
                self.timeout.as_secs_f32()
            ))
        })?;
        let calls = u32::from(items.iter().any(|item| item.text.has_words()));
        Ok(Reply { items: answers.into_iter().collect::<Result<_, _>>()?, calls, ..Reply::default() })
    }
}

/// Identifies the models. It changes with each of them, so a model that is added makes Mynah translate cached texts again.
fn revision(installed: &BTreeMap<Direction, Installed>) -> String {
    let models: Vec<String> =
        installed.values().map(|model| format!("{} {}", model.pair(), model.revision())).collect();
    let hash = hex(&digest(&SHA256, models.join("\n").as_bytes()));
    format!("firefox-{}", hash.get(..12).unwrap_or(&hash))
}

/// The pairs of these for which there is no model.
fn without_model(installed: &BTreeMap<Direction, Installed>, pairs: &[Direction]) -> Vec<Direction> {
    pairs.iter().copied().filter(|(from, to)| routes::route(installed, *from, *to).is_none()).collect()
}

/// The same with the command that gets the models; `None` if none is missing.
fn missing(installed: &BTreeMap<Direction, Installed>, pairs: &[Direction]) -> Option<String> {
    let missing = without_model(installed, pairs);
    let names: Vec<String> =
        missing.iter().map(|(from, to)| format!("{} to {}", from.name(), to.name())).collect();
    (!missing.is_empty())
        .then(|| format!("it has no model from {}; {}", names.join(", "), settings::commands(&missing)))
}
