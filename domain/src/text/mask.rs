//! Hides from an engine what must not change: what [`protect`](super::protect) finds is removed from the text before
//! translation and put back afterwards, each part exactly once.
//!
//! A masked text is a list of segments, not a string with marks in it. Each engine writes placeholders in the form that
//! it preserves best (Apertium's superblanks, brackets for a language model) and parses them, so no mark can be
//! mistaken for the author's words.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{protect::Links, protected::Protected};

/// A text whose protected parts were replaced by numbered placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct MaskedText(pub Vec<Segment>);

/// A piece of a masked text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Segment {
    /// Stands for the protected part with this number, counted from 0.
    Placeholder(usize),
    /// Words to translate, with the white space around them.
    Words(String),
}

/// A masked text with its protected parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mask {
    /// What an engine may see.
    pub text: MaskedText,
    /// What it may not see, by number.
    pub protected: Vec<Protected>,
    /// The links that the target does not want in the text, in order.
    pub removed_links: Vec<String>,
}

/// An engine did not return every placeholder exactly once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A placeholder is missing.
    #[error("the translation lacks “{thing}”")]
    Missing {
        /// The placeholder.
        number: usize,
        /// What it stands for.
        thing: String,
    },
    /// A placeholder appears more than once.
    #[error("the translation contains “{thing}” more than once")]
    Doubled {
        /// The placeholder.
        number: usize,
        /// What it stands for.
        thing: String,
    },
    /// The engine invented a placeholder.
    #[error("the translation contains placeholder {0}, which the text does not have")]
    Unknown(usize),
}

impl RestoreError {
    /// The advice for an engine that sees only placeholders.
    pub fn advice(&self) -> String {
        match self {
            Self::Missing { number, .. } => format!("placeholder {number} is missing"),
            Self::Doubled { number, .. } => format!("placeholder {number} is there more than once"),
            Self::Unknown(number) => format!("there is no placeholder {number} in the text"),
        }
    }
}

impl Mask {
    /// The text as it would be published without a translation: with dropped parts removed and replaced parts replaced.
    pub fn untranslated(&self) -> String {
        let text = |segment| self.text_of(segment).unwrap_or_default();
        self.text.0.iter().map(text).collect()
    }

    /// The links that are published in a reply to the text.
    pub fn links_of_reply(&self, links: Links) -> &[String] {
        if links == Links::Reply { &self.removed_links } else { &[] }
    }

    /// The published text of a segment; `None` for a placeholder that does not exist.
    fn text_of<'a>(&'a self, segment: &'a Segment) -> Option<&'a str> {
        match segment {
            Segment::Words(words) => Some(words),
            Segment::Placeholder(number) => self.protected.get(*number).map(|thing| thing.becomes.as_str()),
        }
    }

    /// What an engine may know about the protected parts, by number: numbers and terms affect the words around them. Of
    /// a number that a word is stuck to, as in `18bucks`, the whole is known.
    pub fn stands_for(&self) -> Vec<(usize, String)> {
        let numbered = self.protected.iter().enumerate();
        let affecting = numbered.filter(|(_, thing)| thing.kind.affects_words());
        affecting
            .map(|(number, thing)| {
                let stuck = self.text.letters_after(number);
                let whole = if stuck.is_empty() {
                    thing.becomes.clone()
                } else {
                    format!("{} (of “{}{stuck}”)", thing.becomes, thing.text)
                };
                (number, whole)
            })
            .collect()
    }

    /// One string for everything that a translation depends on: two texts that differ only in a link or a name have the
    /// same one. A number or a term is part of it: in half of the languages, “goals” is another word after 5 than after
    /// 2.
    pub fn key(&self) -> String {
        let mut key = self.text.key();
        for thing in &self.protected {
            key.push('\u{2}');
            key.push_str(if thing.kind.affects_words() { &thing.becomes } else { "" });
        }
        key
    }

    /// Puts the protected parts back into a translation of [`Mask::text`], each exactly once.
    ///
    /// # Errors
    /// The first placeholder that is missing, repeated or invented.
    pub fn restore(&self, translated: &MaskedText) -> Result<String, RestoreError> {
        let mut used = vec![false; self.protected.len()];
        let length = translated.0.iter().filter_map(|segment| self.text_of(segment)).map(str::len).sum();
        let mut text = String::with_capacity(length);
        for segment in &translated.0 {
            match segment {
                Segment::Words(words) => text.push_str(words),
                Segment::Placeholder(number) => {
                    let thing = self.protected.get(*number).ok_or(RestoreError::Unknown(*number))?;
                    if std::mem::replace(&mut used[*number], true) {
                        return Err(RestoreError::Doubled { number: *number, thing: thing.text.clone() });
                    }
                    text.push_str(&thing.becomes);
                }
            }
        }
        match used.iter().position(|used| !used) {
            Some(number) => Err(RestoreError::Missing { number, thing: self.protected[number].text.clone() }),
            None => Ok(text),
        }
    }
}

impl MaskedText {
    /// Whether anything in it can be translated.
    pub fn has_words(&self) -> bool {
        self.words().any(|words| words.chars().any(char::is_alphabetic))
    }

    /// The pieces to translate.
    pub fn words(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Words(words) => Some(words.as_str()),
            Segment::Placeholder(_) => None,
        })
    }

    /// The letters right after a placeholder.
    fn letters_after(&self, number: usize) -> &str {
        let at = self.0.iter().position(|segment| *segment == Segment::Placeholder(number));
        match at.and_then(|at| self.0.get(at + 1)) {
            Some(Segment::Words(words)) => {
                &words[..words.len() - words.trim_start_matches(char::is_alphabetic).len()]
            }
            _ => "",
        }
    }

    /// The numbers of the placeholders, in order of appearance.
    pub fn placeholders(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Placeholder(number) => Some(*number),
            Segment::Words(_) => None,
        })
    }

    /// One string for the whole text. Two texts have the same one exactly if they differ only in what was protected.
    /// Placeholders are enclosed in control characters, which posts do not contain.
    pub fn key(&self) -> String {
        let mut key = String::new();
        for segment in &self.0 {
            match segment {
                Segment::Words(words) => key.push_str(words),
                Segment::Placeholder(number) => {
                    // Writing to a string cannot fail.
                    let _ = write!(key, "\u{1}{number}\u{1}");
                }
            }
        }
        key
    }

    /// Assembles words and placeholders, dropping empty words and joining neighbors.
    pub fn from_segments(segments: impl IntoIterator<Item = Segment>) -> Self {
        let segments = segments.into_iter();
        let mut joined: Vec<Segment> = Vec::with_capacity(segments.size_hint().0);
        for segment in segments {
            match (joined.last_mut(), segment) {
                (_, Segment::Words(words)) if words.is_empty() => {}
                (Some(Segment::Words(last)), Segment::Words(words)) => last.push_str(&words),
                (_, segment) => joined.push(segment),
            }
        }
        Self(joined)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::mask;

    fn words(text: &str) -> Segment {
        Segment::Words(text.into())
    }

    #[test]
    fn protected_parts_leave_the_text_and_come_back() {
        let mask = mask("Hi @bob, see https://a.example/b?c=1#d for #rust!");
        assert_eq!(
            mask.text.0,
            [
                words("Hi "),
                Segment::Placeholder(0),
                words(", see "),
                Segment::Placeholder(1),
                words(" for "),
                Segment::Placeholder(2),
                words("!")
            ]
        );
        let translated = MaskedText::from_segments([
            words("Para "),
            Segment::Placeholder(2),
            words(" vea "),
            Segment::Placeholder(1),
            words(", "),
            Segment::Placeholder(0),
        ]);
        assert_eq!(mask.restore(&translated).unwrap(), "Para #rust vea https://a.example/b?c=1#d, @bob");
    }

    #[test]
    fn a_placeholder_lost_repeated_or_invented_is_an_error() {
        let mask = mask("@bob and @eve");
        let text = |numbers: &[usize]| {
            MaskedText::from_segments(numbers.iter().map(|number| Segment::Placeholder(*number)))
        };
        assert_eq!(mask.restore(&text(&[0])), Err(RestoreError::Missing { number: 1, thing: "@eve".into() }));
        assert_eq!(
            mask.restore(&text(&[0, 1, 0])),
            Err(RestoreError::Doubled { number: 0, thing: "@bob".into() })
        );
        assert_eq!(mask.restore(&text(&[0, 1, 2])), Err(RestoreError::Unknown(2)));
    }

    #[test]
    fn an_engine_knows_what_a_number_was_that_a_word_is_stuck_to() {
        let stands_for = |text| mask(text).stands_for().into_iter().map(|(_, what)| what).collect::<Vec<_>>();
        assert_eq!(stands_for("18bucks for 20k at 5pm"), ["18 (of “18bucks”)", "20 (of “20k”)", "5pm"]);
        assert_eq!(stands_for("5 trees, 3x"), ["5", "3 (of “3x”)"]);
    }

    #[test]
    fn links_and_tags_alone_are_not_words() {
        assert!(!mask("https://a.example #goal @bob 12:30 🎉").text.has_words());
        assert!(mask("Goal! #goal").text.has_words());
    }

    #[test]
    fn templates_that_differ_in_a_link_share_a_key() {
        let key = |text| mask(text).key();
        assert_ne!(key("Up by 2"), key("Up by 5"));
        assert_eq!(key("Live now: https://a.example/1"), key("Live now: https://b.example/2"));
        assert_ne!(key("Live now: https://a.example/1"), key("Live then: https://a.example/1"));
    }

    proptest! {
        #[test]
        fn masking_and_restoring_is_the_identity(text in any::<String>()) {
            let mask = mask(&text);
            prop_assert_eq!(mask.restore(&mask.text).unwrap(), text);
        }

        #[test]
        fn masking_and_restoring_is_the_identity_for_texts_full_of_entities(
            text in "([a-z🔥é]{0,3}[ .,:/]?(@bob|#tag|\\$TSLA|https://a\\.example/b|example\\.com)?){0,8}"
        ) {
            let mask = mask(&text);
            prop_assert_eq!(mask.restore(&mask.text).unwrap(), text);
        }
    }
}
