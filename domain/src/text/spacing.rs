//! Puts spaces around what was protected where a network needs them. Japanese, Chinese, Thai, Lao, Khmer and Burmese
//! have no spaces between words, so a translation has `この#rustのチーム`, in which a network sees no tag, or one that is
//! too long; and everywhere, words change places and end up beside a mention.
//!
//! The network decides: a part that it reads as it reads it in the post stays as it is, and another one gets a space
//! after it, before it or on both sides, whichever is enough. So there is none before `。` or an apostrophe that ends a
//! tag.

use std::{cell::LazyCell, ops::Range};

use super::{EntityKind, Mask, MaskedText, ProtectedKind, Segment, addresses::addresses, mask::RestoreError};
use crate::network::NetworkRules;

/// A protected part in a restored text.
struct Place {
    number: usize,
    range: Range<usize>,
}

/// What a network reads in or across a part of a text, by the distances from the part: how far it begins before the
/// part, how far after the part's beginning, and where it ends. Two texts are read alike if these are equal.
#[derive(Debug, PartialEq, Eq)]
struct Reading(Vec<(Option<EntityKind>, usize, usize, usize)>);

/// Which sides of a part get a space, the fewest first.
const SIDES: [(&str, &str); 4] = [("", ""), ("", " "), (" ", ""), (" ", " ")];

impl Mask {
    /// Puts the protected parts back into a translation of [`Mask::text`], each exactly once, and spaces around those
    /// that `network` would otherwise read differently than in the post. A text that was restored in this way needs no
    /// more spaces.
    ///
    /// # Examples
    ///
    /// ```
    /// use mynah_domain::{network::PlainText, text::{MaskedText, Segment, mask}};
    ///
    /// let rules = PlainText::default();
    /// let mask = mask("This #rust team", &rules);
    /// let [before, after] = ["この", "のチーム。"].map(|words| Segment::Words(words.into()));
    /// let answer = MaskedText(vec![before, Segment::Placeholder(0), after]);
    /// assert_eq!(mask.restore_for(&answer, &rules).unwrap(), "この #rust のチーム。");
    /// ```
    ///
    /// # Errors
    /// The first placeholder that is missing, repeated or invented.
    pub fn restore_for(
        &self,
        translated: &MaskedText,
        network: &dyn NetworkRules,
    ) -> Result<String, RestoreError> {
        let joined = self.restore(translated)?;
        let places = self.places(translated);
        let beside = |pair: &[Segment]| matches!(pair, [Segment::Placeholder(_), Segment::Placeholder(_)]);
        let is_settled = |place: &Place| !self.is_read(place) || is_alone(&joined, &place.range);
        // Most parts stand alone already.
        if places.iter().all(is_settled) && !translated.0.windows(2).any(beside) {
            return Ok(joined);
        }
        Ok(self.spaced(&joined, &places, network))
    }

    /// The joined text with the spaces that it needs.
    fn spaced(&self, joined: &str, places: &[Place], network: &dyn NetworkRules) -> String {
        let post = LazyCell::new(|| (self.untranslated(), self.places(&self.text)));
        let mut text = String::with_capacity(joined.len() + 2 * places.len());
        let mut end = 0;
        let mut previous: Option<&Place> = None;
        for place in places {
            text.push_str(&joined[end..place.range.start]);
            end = place.range.end;
            if previous.is_some_and(|previous| self.runs_together(previous, place, joined)) {
                text.push(' ');
            }
            let (left, right) = if !self.is_read(place) || is_alone(joined, &place.range) {
                SIDES[0]
            } else {
                let (post, in_post) = &*post;
                let expected = in_post.iter().find(|there| there.number == place.number).map(|there| {
                    let (before, after) = (&post[..there.range.start], &post[there.range.end..]);
                    self.reading(place, word_before(before), word_after(after), network)
                });
                let (before, after) = (word_before(&text), word_after(&joined[end..]));
                let is_enough = |(left, right): &(&str, &str)| {
                    let (before, after) = (format!("{before}{left}"), format!("{right}{after}"));
                    Some(self.reading(place, &before, &after, network)) == expected
                };
                // If no space helps, the gate finds what is wrong.
                SIDES.into_iter().find(is_enough).unwrap_or(SIDES[0])
            };
            text.push_str(left);
            text.push_str(&joined[place.range.clone()]);
            text.push_str(right);
            previous = Some(place);
        }
        text.push_str(&joined[end..]);
        text
    }

    /// How `network`, or a reader who writes to an address, reads a part between these.
    fn reading(&self, place: &Place, before: &str, after: &str, network: &dyn NetworkRules) -> Reading {
        let part = &self.protected[place.number];
        let (start, end) = (before.len(), before.len() + part.becomes.len());
        let text = [before, &part.becomes, after].concat();
        let entities = network.entities(&text).into_iter().map(|entity| (Some(entity.kind), entity.range));
        let addresses = match part.kind {
            ProtectedKind::Address => addresses(&text),
            _ => Vec::new(),
        };
        let found = entities.chain(addresses.into_iter().map(|range| (None, range)));
        let found = found.filter(|(_, found)| found.start < end && found.end > start);
        let from_part = |(kind, found): (Option<EntityKind>, Range<usize>)| {
            let (before, within) = (start.saturating_sub(found.start), found.start.saturating_sub(start));
            (kind, before, within, found.end - start)
        };
        Reading(found.map(from_part).collect())
    }

    /// Whether a network, or a reader, reads the part as something that neighbors can change.
    fn is_read(&self, place: &Place) -> bool {
        use ProtectedKind::{Address, Cashtag, Hashtag, Link, Mention};
        matches!(self.protected[place.number].kind, Link | Mention | Hashtag | Cashtag | Address)
    }

    /// Where each part is in a restored text.
    fn places(&self, text: &MaskedText) -> Vec<Place> {
        let mut places = Vec::with_capacity(self.protected.len());
        let mut end = 0;
        for segment in &text.0 {
            let start = end;
            match segment {
                Segment::Words(words) => end += words.len(),
                Segment::Placeholder(number) => {
                    end += self.protected.get(*number).map_or(0, |thing| thing.becomes.len());
                    places.push(Place { number: *number, range: start..end });
                }
            }
        }
        places
    }

    /// Whether two parts in a row would be read as one: 5 and 10 as 510.
    fn runs_together(&self, one: &Place, other: &Place, joined: &str) -> bool {
        let spaced = |c: char| c.is_alphanumeric() && !is_of_script_without_spaces(c);
        one.range.end == other.range.start
            && joined[one.range.clone()].ends_with(spaced)
            && joined[other.range.clone()].starts_with(spaced)
            && !self
                .text
                .0
                .windows(2)
                .any(|pair| *pair == [Segment::Placeholder(one.number), Segment::Placeholder(other.number)])
    }
}

/// Whether there is nothing beside a part that a network could read as a part of it: white space, or the end of the
/// text, also after marks that end a sentence. Every network reads a text word by word.
fn is_alone(text: &str, range: &Range<usize>) -> bool {
    let ends = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
    let (before, after) = (&text.as_bytes()[..range.start], &text.as_bytes()[range.end..]);
    let is_mark = |byte: &&u8| matches!(byte, b'.' | b',' | b':' | b';' | b'!' | b'?');
    ends(before.last()) && ends(after.iter().find(|byte| !is_mark(byte)))
}

/// The end of a text, after its last white space.
fn word_before(text: &str) -> &str {
    text.rfind(|c: char| c.is_ascii_whitespace()).map_or(text, |at| &text[at + 1..])
}

/// The beginning of a text, up to its first white space.
fn word_after(text: &str) -> &str {
    text.find(|c: char| c.is_ascii_whitespace()).map_or(text, |at| &text[..at])
}

/// Whether a letter is of a script that is written without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer,
/// Chinese and Japanese (the blocks of Unicode; Hangul has spaces).
pub(super) fn is_of_script_without_spaces(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3000}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
        && !c.is_numeric()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        fixtures::{mask, tricky_text, words_of_posts},
        network::PlainText,
    };

    /// Words, and placeholders as `0` to `9` between braces.
    fn answer(text: &str) -> MaskedText {
        let pieces = text.split('{').flat_map(|piece| match piece.split_once('}') {
            Some((number, words)) => {
                vec![Segment::Placeholder(number.parse().unwrap()), Segment::Words(words.into())]
            }
            None => vec![Segment::Words(piece.into())],
        });
        MaskedText::from_segments(pieces)
    }

    fn restored(post: &str, text: &str) -> String {
        mask(post).restore_for(&answer(text), &PlainText::default()).unwrap()
    }

    #[test]
    fn a_tag_grown_together_with_words_is_set_apart() {
        for (text, expected) in [
            ("この{0}のチーム", "この #rust のチーム"),
            ("ทีม{0}นี้", "ทีม #rust นี้"),
            ("这个{0}团队", "这个 #rust 团队"),
            ("ທີມ{0}ນີ້", "ທີມ #rust ນີ້"),
            ("ក្រុម{0}នេះ", "ក្រុម #rust នេះ"),
            ("ဒီ{0}အဖွဲ့", "ဒီ #rust အဖွဲ့"),
            ("El equipo{0}aquí", "El equipo #rust aquí"),
            ("La {0}y", "La #rust y"),
            ("של{0}כאן", "של #rust כאן"),
        ] {
            assert_eq!(restored("This #rust team", text), expected);
            assert_eq!(restored("This @rust team", text), expected.replace('#', "@"));
        }
    }

    #[test]
    fn no_space_is_added_that_the_network_does_not_need() {
        for text in [
            "「{0}」のチーム",
            "{0}。チーム",
            "{0}、チーム",
            "{0}!",
            "({0})",
            "{0}’ta",
            "\u{200f}{0}",
            "\u{2068}{0}\u{2069}です",
            "チーム：{0}",
            "{0}…",
            "{0}",
            "{0}\nチーム",
            "{0}\u{3000}チーム",
        ] {
            assert_eq!(restored("This #rust team", text), text.replace("{0}", "#rust"));
        }
    }

    #[test]
    fn a_link_is_set_apart_from_words_and_not_from_what_ends_a_sentence() {
        for (text, expected) in [
            ("詳細は{0}をご覧ください", "詳細はhttps://a.example/b をご覧ください"),
            ("ดู{0}เลย", "ดูhttps://a.example/b เลย"),
            ("Mira{0}y", "Mirahttps://a.example/b y"),
            ("詳細は{0}。次に", "詳細はhttps://a.example/b。次に"),
            ("\u{2066}{0}\u{2069}ה", "\u{2066}https://a.example/b\u{2069}ה"),
        ] {
            assert_eq!(restored("See https://a.example/b now", text), expected);
        }
        assert_eq!(restored("Mail a@b.example now", "メールは{0}まで"), "メールは a@b.example まで");
    }

    #[test]
    fn parts_in_a_row_are_set_apart() {
        assert_eq!(restored("@ana and @eve", "{0}{1}"), "@ana @eve");
        assert_eq!(
            restored("@ana, #a, https://a.example/b", "{1}{0}{2}です"),
            "#a @ana https://a.example/b です"
        );
        assert_eq!(restored("From 5 to 10 and 20", "{0}{1}と{2}"), "5 10と20");
        assert_eq!(restored("Win 5 🎉 now, @bob", "{0}{1}{2}さん"), "5🎉@bob さん");
    }

    #[test]
    fn what_stands_together_in_the_post_may_do_so_in_the_translation() {
        for post in ["#a#b", "1€€1", "word#tag", "https://a.example/あいう", "a@b.example:8"] {
            let mask = mask(post);
            assert_eq!(mask.restore_for(&mask.text, &PlainText::default()).as_deref(), Ok(post));
        }
    }

    #[test]
    fn a_number_or_a_name_in_a_text_without_spaces_needs_none() {
        assert_eq!(restored("It has 25 teams", "{0}チームです"), "25チームです");
        assert_eq!(restored("Yes 🎉 now", "はい{0}今"), "はい🎉今");
    }

    proptest! {
        #[test]
        fn the_post_itself_needs_no_space(text in prop_oneof![tricky_text(), any::<String>()]) {
            let mask = mask(&text);
            prop_assert_eq!(mask.restore_for(&mask.text, &PlainText::default()).unwrap(), text);
        }

        #[test]
        fn a_spaced_text_reads_as_the_post_and_is_masked_again_to_itself(words in words_of_posts(), seed in any::<u64>()) {
            let rules = PlainText::default();
            let mask = mask(&words.join(" "));
            // Everything closer together, as in Japanese, and turned around.
            let mut segments: Vec<Segment> = mask.text.0.iter().map(|segment| match segment {
                Segment::Words(words) => Segment::Words(words.split_whitespace().collect()),
                Segment::Placeholder(_) => segment.clone(),
            }).collect();
            let turn = usize::try_from(seed % 64).unwrap() % segments.len().max(1);
            segments.rotate_left(turn);
            let text = mask.restore_for(&MaskedText::from_segments(segments), &rules).unwrap();
            if let Some(masked) = mask.remask(&text) {
                prop_assert_eq!(mask.restore_for(&masked, &rules).unwrap(), text);
            }
        }
    }
}
