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

    /// Whether asking again with advice may bring another answer.
    fn takes_advice(&self) -> bool {
        false
    }

    /// How many of its answers so far were spoiled as a whole or cut off, so that it asked again for less at once.
    fn spoiled(&self) -> u64 {
        0
    }

    /// Translates `items`; the answer has one entry for each, in the same order. Placeholders come back as the engine
    /// left them; whoever restores the text checks them.
    ///
    /// # Errors
    /// An [`EngineError`] where the call as a whole failed and nothing is known of any item.
    async fn translate(&self, items: &[Item]) -> Result<Vec<Result<MaskedText, ItemError>>, EngineError>;
}

/// One text for one language. What an engine has no use for it may leave out of account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The text, what must not change taken out.
    pub text: MaskedText,
    /// What some of the placeholders stand for, by number: a number or a name decides about the words around it.
    pub stands_for: Vec<(usize, String)>,
    /// The language it is in.
    pub from: Language,
    /// The language it should be in.
    pub to: Language,
    /// How it should sound.
    pub style: Style,
    /// What the author said before it in the same thread, oldest first: not to be translated, only to be understood by.
    pub context: Vec<String>,
    /// What was wrong with the answers before.
    pub advice: Vec<String>,
    /// The most that the translation may weigh, where an answer before weighed more.
    pub max_weighted_length: Option<usize>,
}

impl Item {
    /// A text to be asked for the first time, with nothing else known.
    pub fn new(text: MaskedText, from: Language, to: Language) -> Self {
        Self {
            text,
            stands_for: Vec::new(),
            from,
            to,
            style: Style::default(),
            context: Vec::new(),
            advice: Vec::new(),
            max_weighted_length: None,
        }
    }
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
    /// It was asked, and no whole answer came in time. Passing; less at once may be answered sooner.
    #[error("{0}")]
    Unanswered(String),
    /// The request itself was refused as wrong: a model that is no longer there, a pair that is not installed.
    #[error("{0}")]
    Refused(String),
}
