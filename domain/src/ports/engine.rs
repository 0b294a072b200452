//! An engine translates. It takes several texts, each with its own target language, and answers each one separately, so
//! that one bad item does not spoil the others.

use std::num::NonZeroUsize;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Language, Style, text::MaskedText};

/// A translation engine.
#[async_trait(?Send)]
pub trait Engine {
    /// Its name in settings, logs and measurements, `gemini`. It is configured, so that several engines of one kind can
    /// coexist, and it never changes while the engine lives.
    fn name(&self) -> &str;

    /// Its kind, together with everything else that changes its translations, such as a model; without spaces. It is part of
    /// the cache key and of each job's record, and never changes while the engine lives.
    fn revision(&self) -> String;

    /// Whether it can translate from one language to the other.
    fn supports(&self, from: Language, to: Language) -> bool;

    /// What prevents it from translating for some of these pairs of languages, each `(from, to)`, as far as it knows
    /// without a call, and what to do. Only for what a person must fix on this machine.
    fn impairment(&self, _pairs: &[(Language, Language)]) -> Option<String> {
        None
    }

    /// What may go into one call.
    fn composition(&self) -> CallShape;

    /// Whether asking again with advice may improve an answer.
    fn takes_advice(&self) -> bool {
        false
    }

    /// The most that a service will bill for a call with these items, as far as one can tell before it: instructions and
    /// answers included, repeated requests not. Nothing for an engine that charges nothing.
    fn most_usage(&self, _items: &[Item]) -> Usage {
        Usage::default()
    }

    /// Translates `items`, whose composition follows [`Engine::composition`]. Placeholders come back as the engine left
    /// them; the caller that restores the text checks them.
    ///
    /// # Errors
    /// An [`EngineError`] if the call as a whole failed and nothing is known about any item.
    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError>;
}

/// What may go into one call of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallShape {
    /// The most items worth sending in one call.
    max_items: NonZeroUsize,
    /// The most characters of text in one call, over all items; an item that has more goes alone.
    max_chars: Option<usize>,
    /// Whether the items of one call may have different languages.
    languages: Languages,
}

/// How many language pairs may be mixed in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Languages {
    /// All items have the same source language and the same target language.
    One,
    /// Each item has its own languages.
    Many,
}

impl CallShape {
    /// A shape of at most `max_items` items, at least 1.
    pub const fn new(max_items: usize, languages: Languages) -> Self {
        let max_items = match NonZeroUsize::new(max_items) {
            Some(max_items) => max_items,
            None => NonZeroUsize::MIN,
        };
        Self { max_items, max_chars: None, languages }
    }

    /// Limits the characters of text in a call.
    #[must_use]
    pub const fn with_max_chars(self, max_chars: usize) -> Self {
        Self { max_chars: Some(max_chars), ..self }
    }

    /// The most items worth sending in one call; at least 1.
    pub fn max_items(&self) -> usize {
        self.max_items.get()
    }

    /// The most characters of text in one call, over all items; an item that has more goes alone.
    pub fn max_chars(&self) -> Option<usize> {
        self.max_chars
    }

    /// Whether items of these two language pairs, each `(from, to)`, may go into one call.
    pub fn may_mix(&self, one: (Language, Language), other: (Language, Language)) -> bool {
        self.languages == Languages::Many || one == other
    }
}

/// The result of a call to an engine. Everything about the call is in here and not in the engine, which may have other
/// calls in progress at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// One entry for each item, in the same order.
    pub items: Vec<Result<MaskedText, ItemError>>,
    /// How many requests were made; 0 if no item has words.
    pub calls: u32,
    /// How many of the answers were spoiled as a whole or cut off, so that their items were requested again in smaller
    /// requests. If there are any, the call was too large.
    pub spoiled: u32,
    /// What the service counted, for all requests together.
    pub usage: Usage,
    /// What ended the call after some of its requests. What came before it is billed and counts;
    /// the other items are [`ItemError::NotReached`].
    pub stopped: Option<EngineError>,
}

impl Reply {
    /// Appends the reply for the items after these.
    pub fn append(&mut self, next: Self) {
        let Self { items, calls, spoiled, usage, stopped } = next;
        self.items.extend(items);
        self.calls = self.calls.saturating_add(calls);
        self.spoiled = self.spoiled.saturating_add(spoiled);
        self.usage.add(usage);
        self.stopped = self.stopped.take().or(stopped);
    }

    /// Appends this many items that no request was made for.
    pub fn append_not_reached(&mut self, items: usize) {
        self.items.extend(vec![Err(ItemError::NotReached); items]);
    }
}

/// What a service counted for a call, and will bill; `None` for counts that it does not report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the requests, instructions included.
    pub input_tokens: Option<u64>,
    /// Tokens of the answers, including what a model thought before it answered.
    pub output_tokens: Option<u64>,
    /// Characters, for a service that charges by them.
    pub billed_characters: Option<u64>,
}

impl Usage {
    /// Adds the usage of another request.
    pub fn add(&mut self, other: Self) {
        self.input_tokens = sum([self.input_tokens, other.input_tokens]);
        self.output_tokens = sum([self.output_tokens, other.output_tokens]);
        self.billed_characters = sum([self.billed_characters, other.billed_characters]);
    }
}

impl Usage {
    /// Each count with its name in measurements.
    pub fn counts(&self) -> [(&'static str, Option<u64>); 3] {
        let Self { input_tokens, output_tokens, billed_characters } = *self;
        [
            ("input_tokens", input_tokens),
            ("output_tokens", output_tokens),
            ("billed_characters", billed_characters),
        ]
    }
}

/// The sum of the counts that are known; `None` if none is.
pub fn sum<const N: usize>(counts: [Option<u64>; N]) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

/// One text for one language. An engine may ignore fields that it cannot use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The text, with placeholders for what must not change.
    pub text: MaskedText,
    /// What some of the placeholders stand for, by number: the words around a number or a name depend on it.
    pub stands_for: Vec<(usize, String)>,
    /// The language it is in.
    pub from: Language,
    /// The language to translate into.
    pub to: Language,
    /// How the translation should sound.
    pub style: Style,
    /// The author's earlier posts in the same thread, oldest first: not to be translated, only for context.
    pub context: Vec<String>,
    /// What was wrong with the previous answers.
    pub advice: Vec<String>,
    /// What the translation must fit, where a previous answer was too long.
    pub max_weight: Option<MaxWeight>,
}

/// The most that a translation may weigh on its target's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxWeight {
    /// As [`NetworkRules::weigh`](crate::network::NetworkRules::weigh) counts it.
    pub most: usize,
    /// How the network counts: [`NetworkRules::counting`](crate::network::NetworkRules::counting).
    pub counting: &'static str,
}

impl Item {
    /// Creates an item for a first request, without context or advice.
    pub fn new(text: MaskedText, from: Language, to: Language) -> Self {
        Self {
            text,
            stands_for: Vec::new(),
            from,
            to,
            style: Style::default(),
            context: Vec::new(),
            advice: Vec::new(),
            max_weight: None,
        }
    }
}

/// Why one item could not be translated, though the call succeeded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// The answer for it is missing or cannot be read.
    #[error("{0}")]
    Unusable(String),
    /// The engine refuses to translate it.
    #[error("{0}")]
    Refused(String),
    /// The call ended before an answer for it came: see [`Reply::stopped`].
    #[error("the call ended before its turn")]
    NotReached,
}

/// Why a call failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The key is wrong or was revoked. A retry does not help.
    #[error("{0}")]
    Unauthorized(String),
    /// Too many calls or no quota left.
    #[error("{reason}")]
    RateLimited {
        /// What the service answered.
        reason: String,
        /// When to try again, if the service names a time.
        until: Option<Timestamp>,
    },
    /// The engine could not be reached, died, or did not answer as it should. A retry may help.
    #[error("{0}")]
    Unavailable(String),
    /// The engine was called, and no complete answer came in time. A retry may help; a smaller call may be answered
    /// sooner.
    #[error("{0}")]
    Unanswered(String),
    /// The request itself was refused as wrong: the model no longer exists, or the language pair is not installed.
    #[error("{0}")]
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_with_other_languages_go_into_one_call_only_if_the_engine_allows_it() {
        let pair = |to: &str| (Language::english(), to.parse().unwrap());
        for (languages, mixes) in [(Languages::One, false), (Languages::Many, true)] {
            let shape = CallShape::new(10, languages);
            assert!(shape.may_mix(pair("es"), pair("es")));
            assert_eq!(shape.may_mix(pair("es"), pair("fr")), mixes);
        }
    }

    #[test]
    fn the_parts_of_a_call_add_up() {
        let usage = |input_tokens, output_tokens| Usage {
            input_tokens,
            output_tokens,
            billed_characters: output_tokens,
        };
        let item = |text: &str| Ok(MaskedText(vec![crate::text::Segment::Words(text.into())]));
        let usage_of_first = usage(Some(5), None);
        let mut reply =
            Reply { items: vec![item("a")], calls: 1, spoiled: 1, usage: usage_of_first, ..Reply::default() };
        let next =
            Reply { items: vec![item("b")], calls: 2, usage: usage(Some(7), Some(1)), ..Reply::default() };
        reply.append(next);
        let whole = Reply {
            items: vec![item("a"), item("b")],
            calls: 3,
            spoiled: 1,
            usage: usage(Some(12), Some(1)),
            stopped: None,
        };
        assert_eq!(reply, whole);
        reply.append(Reply { calls: u32::MAX, usage: usage(Some(u64::MAX), None), ..Reply::default() });
        assert_eq!((reply.calls, reply.usage), (u32::MAX, usage(Some(u64::MAX), Some(1))));
    }
}
