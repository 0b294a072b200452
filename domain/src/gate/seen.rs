//! What several rules look at, prepared once: the texts without what is protected, their words and their numbers.

use std::collections::BTreeMap;

use unicode_segmentation::UnicodeSegmentation as _;

use super::Candidate;
use crate::text::entities;

pub(super) struct Seen<'a> {
    pub(super) candidate: &'a Candidate<'a>,
    /// What the post says, as it would stand there were nothing translated.
    pub(super) source: String,
    /// What is to be published, all parts of it.
    pub(super) text: String,
}

impl<'a> Seen<'a> {
    pub(super) fn new(candidate: &'a Candidate<'a>) -> Self {
        let source = candidate.source.untranslated();
        Self { candidate, source, text: candidate.parts.join("\n") }
    }
}

/// The text without links, mentions and tags, which are nobody's words.
pub(super) fn without_entities(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut end = 0;
    for entity in entities(text) {
        words.push_str(&text[end..entity.range.start]);
        words.push(' ');
        end = entity.range.end;
    }
    words.push_str(&text[end..]);
    words
}

/// Its words in lower case, none with a digit in it.
pub(super) fn words(text: &str) -> Vec<String> {
    let text = without_entities(text);
    let words = text.unicode_words().filter(|word| word.chars().all(|c| !c.is_numeric()));
    words.map(str::to_lowercase).collect()
}

/// How often each thing is on the left more than on the right.
pub(super) fn balance<T: Ord>(left: Vec<T>, right: Vec<T>) -> BTreeMap<T, i64> {
    let mut balance = BTreeMap::new();
    for thing in left {
        *balance.entry(thing).or_default() += 1;
    }
    for thing in right {
        *balance.entry(thing).or_default() -= 1;
    }
    balance.retain(|_, count| *count != 0);
    balance
}
