//! Finds what an engine must not change in a text, and what it becomes: links, mentions, tags, code, styled words,
//! addresses, emoji, numbers and the terms of a glossary. If two overlap, an entity of the network takes precedence over
//! a term, and a term over a number.

use std::{borrow::Cow, cmp::Reverse, ops::Range};

use super::{
    addresses::addresses,
    code::code,
    emoji::emoji,
    entity::{Entity, EntityKind},
    glossary::{Glossary, SharedGlossary},
    mask::{Mask, MaskedText, Segment},
    notation::Numbers,
    numbers::{numbers, numbers_of},
    protected::{Protected, ProtectedKind},
    styled::styled,
};
use crate::network::NetworkRules;

/// What to do with mentions. Each of them may notify its account, on every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mentions {
    /// Keep them.
    #[default]
    Keep,
    /// Keep the name without its `@`: no account is notified.
    Name,
    /// Remove them.
    Drop,
}

/// What to do with hashtags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Hashtags {
    /// Keep them unchanged.
    #[default]
    Keep,
    /// Translate their words, if they can be separated.
    Translate,
    /// Remove them.
    Drop,
}

/// What to do with links. Some networks charge many times more for a message with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Links {
    /// Keep them unchanged.
    #[default]
    Keep,
    /// Remove them.
    Drop,
    /// Keep the first, and remove the others.
    First,
    /// Publish the text without them, and all of them in a reply to it.
    Reply,
}

impl Links {
    /// Whether the link with this number, counted from 0, is removed from the text.
    fn removes(self, number: usize) -> bool {
        match self {
            Self::Keep => false,
            Self::First => number > 0,
            Self::Drop | Self::Reply => true,
        }
    }
}

/// How texts are masked for one target.
#[derive(Debug, Clone, Default)]
pub struct Masking {
    /// What to do with links.
    pub links: Links,
    /// What to do with mentions.
    pub mentions: Mentions,
    /// What to do with hashtags.
    pub hashtags: Hashtags,
    /// How numbers are written.
    pub numbers: Numbers,
    /// The terms that are always translated in the same way.
    pub glossary: SharedGlossary,
}

/// Masks `text`, a text of the network with these rules, without removing anything and without a glossary.
///
/// # Examples
///
/// ```
/// use mynah_domain::{network::PlainText, text::mask};
///
/// let mask = mask("Read https://example.com now", &PlainText::default());
/// assert_eq!(mask.text.key(), "Read \u{1}0\u{1} now");
/// assert_eq!(mask.restore(&mask.text).unwrap(), "Read https://example.com now");
/// ```
pub fn mask(text: &str, rules: &dyn NetworkRules) -> Mask {
    Masking::default().mask(text, &rules.entities(text))
}

struct Span<'a> {
    kind: ProtectedKind,
    range: Range<usize>,
    becomes: Option<Cow<'a, str>>,
}

impl Masking {
    /// Masks `text`, which has these entities, in order and without overlaps.
    pub fn mask(&self, text: &str, entities: &[Entity]) -> Mask {
        let mut segments: Vec<Segment> = Vec::new();
        let mut protected = Vec::new();
        let mut removed_links = Vec::new();
        let mut end = 0;
        let mut dropped = false;
        let glossary = self.glossary.current();
        for span in self.spans(text, entities, &glossary) {
            push_words(&mut segments, &text[end..span.range.start], dropped);
            end = span.range.end;
            let Some(becomes) = span.becomes else {
                dropped = true;
                if span.kind == ProtectedKind::Link {
                    removed_links.push(text[span.range].to_owned());
                }
                continue;
            };
            dropped = false;
            segments.push(Segment::Placeholder(protected.len()));
            let text = text[span.range].to_owned();
            protected.push(Protected { kind: span.kind, text, becomes: becomes.into_owned() });
        }
        push_words(&mut segments, &text[end..], dropped);
        if dropped
            && end == text.len()
            && let Some(Segment::Words(last)) = segments.last_mut()
        {
            last.truncate(last.trim_end().len());
        }
        Mask { text: MaskedText::from_segments(segments), protected, removed_links }
    }

    /// The protected parts, in order and without overlaps; an empty replacement means that the part is removed.
    fn spans<'a>(&self, text: &'a str, entities: &[Entity], glossary: &'a Glossary) -> Vec<Span<'a>> {
        let code = code(text, entities);
        let mut links = 0..;
        let entities = entities.iter().map(|entity| {
            let there = &text[entity.range.clone()];
            let becomes = match (entity.kind, self.mentions, self.hashtags) {
                (EntityKind::Mention, Mentions::Drop, _) | (EntityKind::Hashtag, _, Hashtags::Drop) => None,
                (EntityKind::Link, ..) if links.next().is_some_and(|number| self.links.removes(number)) => {
                    None
                }
                (EntityKind::Mention, Mentions::Name, _) => Some(there.trim_start_matches(['@', '＠'])),
                _ => Some(there),
            };
            Span {
                kind: entity.kind.into(),
                range: entity.range.clone(),
                becomes: becomes.map(Cow::Borrowed),
            }
        });
        let terms = glossary.find(text).into_iter().map(|(range, becomes)| Span {
            kind: ProtectedKind::Term,
            range,
            becomes: Some(Cow::Borrowed(becomes)),
        });
        let as_it_is = |kind: ProtectedKind, ranges: Vec<Range<usize>>| {
            ranges.into_iter().map(move |range| Span {
                kind,
                becomes: Some(Cow::Borrowed(&text[range.clone()])),
                range,
            })
        };
        let code = as_it_is(ProtectedKind::Code, code);
        let styled = as_it_is(ProtectedKind::Styled, styled(text));
        let addresses = as_it_is(ProtectedKind::Address, addresses(text));
        let emoji = as_it_is(ProtectedKind::Emoji, emoji(text));
        let numbers = self.numbers(text);
        let mut spans: Vec<Span<'a>> = Vec::new();
        // By rank: a part that overlaps one of a higher rank is left out.
        let ranks = [
            entities.collect::<Vec<_>>(),
            code.collect(),
            styled.collect(),
            addresses.collect(),
            terms.collect(),
            emoji.collect(),
            numbers,
        ];
        for ranked in ranks {
            let taken = spans.len();
            for span in ranked {
                let free = spans[..taken]
                    .iter()
                    .all(|other| span.range.end <= other.range.start || other.range.end <= span.range.start);
                if free {
                    spans.push(span);
                }
            }
        }
        spans.sort_by_key(|span| (span.range.start, Reverse(span.range.end)));
        spans
    }

    /// The numbers, as they are written in the translation.
    fn numbers<'a>(&self, text: &'a str) -> Vec<Span<'a>> {
        let (ranges, written) = match self.numbers {
            Numbers::AsWritten => (numbers(text), Vec::new()),
            Numbers::Local(rewriting) => {
                let ranges = numbers_of(text, rewriting.has_halves());
                let written = rewriting.rewrite(text, &ranges);
                (ranges, written)
            }
        };
        let mut written = written.into_iter();
        let span = |range: Range<usize>| {
            let rewritten = written.next().flatten();
            let becomes = rewritten.map_or(Cow::Borrowed(&text[range.clone()]), Cow::Owned);
            Span { kind: ProtectedKind::Number, becomes: Some(becomes), range }
        };
        ranges.into_iter().map(span).collect()
    }
}

/// Adds words. After a part that was dropped, removes one of the two spaces around it, and a space before a full stop.
fn push_words(segments: &mut Vec<Segment>, words: &str, after_dropped: bool) {
    let mut words = words;
    if after_dropped {
        let spaced = match segments.last() {
            None => true,
            Some(Segment::Words(before)) => before.ends_with(char::is_whitespace),
            Some(Segment::Placeholder(_)) => false,
        };
        if spaced {
            words = words.strip_prefix([' ', '\u{a0}']).unwrap_or(words);
            if words.starts_with(['.', ',', ';', ':', '!', '?', '…', ')'])
                && let Some(Segment::Words(before)) = segments.last_mut()
            {
                before.truncate(before.trim_end_matches(' ').len());
            }
        }
    }
    match segments.last_mut() {
        _ if words.is_empty() => {}
        Some(Segment::Words(before)) => before.push_str(words),
        _ => segments.push(Segment::Words(words.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{glossary::Term, notation::Rewriting},
        *,
    };
    use crate::fixtures::{self, rules};

    fn mask(masking: &Masking, text: &str) -> Mask {
        masking.mask(text, &rules().entities(text))
    }

    fn protected(text: &str) -> Vec<(ProtectedKind, String)> {
        fixtures::mask(text).protected.into_iter().map(|thing| (thing.kind, thing.text)).collect()
    }

    #[test]
    fn everything_that_must_not_change_is_taken_out_whole() {
        use ProtectedKind::{Emoji, Hashtag, Link, Mention, Number};
        let expected = [
            (Mention, "@bob1"),
            (Number, "$1,000"),
            (Number, "10:30"),
            (Hashtag, "#covid19"),
            (Link, "https://a.example/2026/11"),
            (Emoji, "👨‍👩‍👧‍👦🎉"),
        ];
        let found = protected("Hi @bob1: $1,000 in gold at 10:30 #covid19 https://a.example/2026/11 👨‍👩‍👧‍👦🎉");
        assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn a_term_becomes_its_glossary_translation() {
        let term = Term { term: "city hall".into(), becomes: Some("Ayuntamiento".into()) };
        let glossary = SharedGlossary::new(Glossary::new(vec![term]).unwrap());
        let masking = Masking { glossary, ..Masking::default() };
        let mask = mask(&masking, "City Hall opens; see @cityhall and #cityhall");
        assert_eq!(mask.restore(&mask.text).unwrap(), "Ayuntamiento opens; see @cityhall and #cityhall");
    }

    #[test]
    fn mentions_and_hashtags_can_be_removed_or_name_without_notifying() {
        let restored = |mentions, hashtags, text: &str| {
            let mask = mask(&Masking { mentions, hashtags, ..Masking::default() }, text);
            mask.restore(&mask.text).unwrap()
        };
        let name = |text| restored(Mentions::Name, Hashtags::Keep, text);
        assert_eq!(name("Thanks @bob, and ＠eve!"), "Thanks bob, and eve!");
        let dropped = |text| restored(Mentions::Drop, Hashtags::Drop, text);
        for (text, expected) in [
            ("Hi @bob, how are you?", "Hi, how are you?"),
            ("@bob @eve see this", "see this"),
            ("See this #a #b", "See this"),
            ("#a", ""),
            ("Stay #home now", "Stay now"),
            ("(#a) b", "() b"),
            ("1 #a https://a.example", "1 https://a.example"),
        ] {
            assert_eq!(dropped(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_come_back_as_the_targets_readers_write_them() {
        let between = |from: &str, to: &str| Rewriting::between(from.parse().unwrap(), to.parse().unwrap());
        let masking = Masking { numbers: Numbers::Local(between("en", "es")), ..Masking::default() };
        let text = "1,250,000 people, 89.9% at 5pm: https://a.example/1,250 #1,204 v2.0";
        let expected = "1.250.000 people, 89,9\u{a0}% at 17:00: https://a.example/1,250 #1,204 v2.0";
        let mask = mask(&masking, text);
        let restored = mask.restore(&mask.text).unwrap();
        assert_eq!(restored, expected);
        assert_eq!(mask.remask(&restored).as_ref(), Some(&mask.text));
        assert_eq!(mask.untranslated(), expected);
    }

    #[test]
    fn an_entity_of_the_source_is_taken_out_whatever_its_text() {
        let text = "Read the whole story, 7 pages";
        let link = Entity { kind: EntityKind::Link, range: 5..20 };
        let mask = Masking::default().mask(text, &[link]);
        assert_eq!(mask.text.key(), "Read \u{1}0\u{1}, \u{1}1\u{1} pages");
        assert_eq!(mask.protected[0].text, "the whole story");
    }
}
