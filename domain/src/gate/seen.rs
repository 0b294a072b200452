//! What several rules check, prepared once, and only if a rule asks for it: the texts, their entities, the text without
//! entities, and the words.

use std::{borrow::Cow, cell::OnceCell, collections::BTreeMap};

use unicode_segmentation::UnicodeSegmentation as _;

use super::Candidate;
use crate::{
    network::NetworkRules,
    text::{Entity, lower_case},
};

pub(super) struct Seen<'a> {
    pub(super) candidate: &'a Candidate<'a>,
    /// The post as it would be published on the target without a translation.
    pub(super) source: Text<'a>,
    /// The text to publish, all parts of it.
    pub(super) text: Text<'a>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(candidate: &'a Candidate<'a>) -> Self {
        let text = match candidate.parts {
            [only] => Cow::Borrowed(only.as_str()),
            parts => Cow::Owned(parts.join("\n")),
        };
        let read = |text| Text::new(text, candidate.rules);
        let source = read(Cow::Owned(candidate.source.untranslated()));
        Self { candidate, source, text: read(text) }
    }
}

/// A text and what is known about it.
pub(super) struct Text<'a> {
    whole: Cow<'a, str>,
    /// The rules of the target's network, which read both texts.
    rules: &'a dyn NetworkRules,
    entities: OnceCell<Vec<Entity>>,
    bare: OnceCell<String>,
    lower: OnceCell<String>,
    bare_lower: OnceCell<String>,
    words: OnceCell<Words>,
}

impl<'a> Text<'a> {
    pub(super) fn new(whole: Cow<'a, str>, rules: &'a dyn NetworkRules) -> Self {
        let (entities, bare, lower, bare_lower, words) = Default::default();
        Self { whole, rules, entities, bare, lower, bare_lower, words }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }

    /// Links, mentions and tags. Words are read one by one, so the entities of a text are those of its parts.
    pub(super) fn entities(&self) -> &[Entity] {
        self.entities.get_or_init(|| self.rules.entities(&self.whole))
    }

    /// The text without links, mentions and tags, which are not in any language.
    pub(super) fn bare(&self) -> &str {
        if self.entities().is_empty() {
            return &self.whole;
        }
        self.bare.get_or_init(|| {
            let mut bare = String::with_capacity(self.whole.len());
            let mut end = 0;
            for entity in self.entities() {
                bare.push_str(&self.whole[end..entity.range.start]);
                bare.push(' ');
                end = entity.range.end;
            }
            bare.push_str(&self.whole[end..]);
            bare
        })
    }

    /// The text in lower case.
    pub(super) fn lower(&self) -> &str {
        self.lower.get_or_init(|| lower_case(&self.whole))
    }

    /// The text without entities, in lower case.
    pub(super) fn bare_lower(&self) -> &str {
        if self.entities().is_empty() {
            return self.lower();
        }
        self.bare_lower.get_or_init(|| lower_case(self.bare()))
    }

    /// The words in lower case, except those with a digit.
    pub(super) fn words(&self) -> &Words {
        self.words.get_or_init(|| Words::of(self.bare()))
    }
}

/// Words, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// All of them, concatenated.
    letters: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// The [`mark`]s of all of them, so that most words that are not among them need no search.
    marks: u64,
}

/// One bit for a word's length and first byte.
fn mark(word: &str) -> u64 {
    let first = word.bytes().next().unwrap_or_default();
    1 << ((usize::from(first) + 7 * word.len()) % 64)
}

impl Words {
    fn of(text: &str) -> Self {
        // A word has about five letters and a space.
        let ends = Vec::with_capacity(text.len() / 4);
        let mut words = Self { letters: String::with_capacity(text.len()), ends, marks: 0 };
        // No word contains a space, and most pieces between spaces are one word.
        for piece in text.split(' ') {
            if !piece.is_empty() && piece.bytes().all(|c| c.is_ascii_alphabetic()) {
                words.push(piece);
                continue;
            }
            let piece = piece.trim_matches(is_around);
            if !piece.is_empty() && piece.chars().all(is_plain) {
                words.push(piece);
                continue;
            }
            // A number or an emoji.
            if !piece.contains(char::is_alphabetic) {
                continue;
            }
            for word in piece.unicode_words().filter(|word| word.chars().all(|c| !c.is_numeric())) {
                words.push(word);
            }
        }
        words
    }

    fn push(&mut self, word: &str) {
        let start = self.letters.len();
        if word.is_ascii() {
            self.letters.push_str(word);
            self.letters[start..].make_ascii_lowercase();
        } else {
            self.letters.push_str(&lower_case(word));
        }
        self.ends.push(self.letters.len());
        self.marks |= mark(&self.letters[start..]);
    }

    /// Whether one of them is this word, in lower case.
    pub(super) fn has(&self, word: &str) -> bool {
        self.marks & mark(word) != 0 && self.iter().any(|own| own == word)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.letters[start..*end])
    }
}

/// Marks that belong to a word only between two letters or digits, if at all.
fn is_around(c: char) -> bool {
    matches!(c, '!'..='&' | '('..='/' | ':'..='@' | '['..='^' | '`' | '{'..='~' | '¡' | '¿' | '«' | '»')
}

/// Letters that always belong to a word, whatever is beside them.
fn is_plain(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ɏ')
}

/// How often each item occurs on the left more than on the right.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every word of the text, found by the library alone.
    fn by_the_library(text: &str) -> Vec<String> {
        let words = text.unicode_words().filter(|word| word.chars().all(|c| !c.is_numeric()));
        words.map(str::to_lowercase).collect()
    }

    proptest! {
        #[test]
        fn a_text_read_piece_by_piece_has_the_words_of_the_whole(
            texts in prop::collection::vec(prop_oneof![crate::fixtures::tricky_text(), "[ !-~¡¿«»À-ɏΣσ'’.:]{0,30}", ".{0,20}"], 0..3)
        ) {
            let text = texts.join(" ");
            prop_assert!(Words::of(&text).iter().eq(by_the_library(&text)), "{:?}", text);
        }
    }

    #[test]
    fn plain_letters_and_the_marks_around_them_are_so_for_the_library() {
        for c in ('\0'..'\u{1000}').filter(|c| is_plain(*c)) {
            assert_eq!(
                Words::of(&format!("a{c}b")).iter().collect::<Vec<_>>(),
                by_the_library(&format!("a{c}b"))
            );
            assert_eq!(by_the_library(&format!("{c}")).len(), 1);
        }
        for c in ('\0'..'\u{1000}').filter(|c| is_around(*c)) {
            assert_eq!(by_the_library(&format!("{c}a{c}")), ["a"]);
        }
    }
}
