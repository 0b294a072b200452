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

    /// Translates `items`. Placeholders come back as the engine left them; whoever restores the text checks them.
    ///
    /// # Errors
    /// An [`EngineError`] where the call as a whole failed and nothing is known of any item.
    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError>;
}

/// What a call to an engine brought. Everything about the call is in here and not in the engine, which may have other calls
/// in progress at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// One entry for each item, in the same order.
    pub items: Vec<Result<MaskedText, ItemError>>,
    /// How many requests it took; 0 where there was nothing to ask, because no item has words.
    pub calls: u32,
    /// How many of the answers were spoiled as a whole or cut off, so that their items were asked for again in smaller
    /// requests. Any at all says that the call was too large.
    pub spoiled: u32,
    /// What the service counted, for all requests together.
    pub usage: Usage,
}

impl Reply {
    /// Adds what came for the items after these.
    pub fn append(&mut self, next: Self) {
        let Self { items, calls, spoiled, usage } = next;
        self.items.extend(items);
        self.calls = self.calls.saturating_add(calls);
        self.spoiled = self.spoiled.saturating_add(spoiled);
        self.usage.add(usage);
    }
}

/// What a service counted for a call, and what it will bill by; `None` where it counts no such thing or did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of what was asked, instructions included.
    pub input_tokens: Option<u64>,
    /// Tokens of what was answered, including what a model thought before it answered.
    pub output_tokens: Option<u64>,
}

impl Usage {
    /// Adds what another request used.
    pub fn add(&mut self, other: Self) {
        self.input_tokens = sum([self.input_tokens, other.input_tokens]);
        self.output_tokens = sum([self.output_tokens, other.output_tokens]);
    }
}

/// The sum of the counts that are known; `None` where none is.
pub fn sum<const N: usize>(counts: [Option<u64>; N]) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_call_add_up() {
        let usage = |input_tokens, output_tokens| Usage { input_tokens, output_tokens };
        let item = |text: &str| Ok(MaskedText(vec![crate::text::Segment::Words(text.into())]));
        let mut reply = Reply { items: vec![item("a")], calls: 1, spoiled: 1, usage: usage(Some(5), None) };
        reply.append(Reply { items: vec![item("b")], calls: 2, spoiled: 0, usage: usage(Some(7), Some(1)) });
        let whole = Reply {
            items: vec![item("a"), item("b")],
            calls: 3,
            spoiled: 1,
            usage: usage(Some(12), Some(1)),
        };
        assert_eq!(reply, whole);
        reply.append(Reply { calls: u32::MAX, usage: usage(Some(u64::MAX), None), ..Reply::default() });
        assert_eq!((reply.calls, reply.usage), (u32::MAX, usage(Some(u64::MAX), Some(1))));
    }
}
