//! What translates. An engine takes several texts, each for a language of its own, and answers for each one alone, so
//! that one bad item does not spoil its neighbours.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Language, Style, text::MaskedText};

/// Something that translates.
#[async_trait(?Send)]
pub trait Engine {
    /// Its name in settings and logs: `gemini`, `apertium`.
    fn name(&self) -> &'static str;

    /// Its name with whatever changes its translations (a model): part of the cache's key and of each job's record.
    fn revision(&self) -> String;

    /// Whether it can translate from one language to the other.
    fn supports(&self, from: Language, to: Language) -> bool;

    /// The most items worth giving it in one call; at least 1.
    fn max_batch(&self) -> usize;

    /// Translates `items`; the answer has one entry for each, in the same order. Placeholders come back as the engine
    /// left them; whoever restores the text checks them.
    ///
    /// # Errors
    /// An [`EngineError`] where the call as a whole failed and nothing is known of any item.
    async fn translate(&self, items: &[Item]) -> Result<Vec<Result<MaskedText, ItemError>>, EngineError>;
}

/// One text for one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The text, what must not change taken out.
    pub text: MaskedText,
    /// The language it is in.
    pub from: Language,
    /// The language it should be in.
    pub to: Language,
    /// How it should sound.
    pub style: Style,
}

/// One item could not be translated, though the call went well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// The answer for it is missing or cannot be read.
    #[error("{0}")]
    Unusable(String),
    /// The engine will not translate it.
    #[error("{0}")]
    Refused(String),
}

/// A call failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The key is wrong or was revoked. Trying again does not help.
    #[error("{0}")]
    Unauthorized(String),
    /// Too many calls or no quota left.
    #[error("{reason}")]
    RateLimited {
        /// What the service said.
        reason: String,
        /// When to ask again, if it said so.
        until: Option<Timestamp>,
    },
    /// It could not be reached, died, or did not answer as it should. Passing.
    #[error("{0}")]
    Unavailable(String),
    /// The request itself was refused as wrong: a model that is no longer there, a pair that is not installed.
    #[error("{0}")]
    Refused(String),
}
