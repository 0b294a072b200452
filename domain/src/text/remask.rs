//! Turns a published translation back into an engine's answer, with placeholders for the protected parts. A cache that
//! was lost is refilled from the ledger in this way.

use std::ops::Range;

use super::{Mask, MaskedText, Segment};

impl Mask {
    /// The masked translation that [`Mask::restore`] turned into `translation`. `None` if that is not certain: a part
    /// is missing, appears twice (the `5` of `5 of 15`), or is within another.
    ///
    /// If each part appears exactly once, there is only one answer: restoring inserts each exactly once.
    pub fn remask(&self, translation: &str) -> Option<MaskedText> {
        let mut places: Vec<(Range<usize>, usize)> = Vec::with_capacity(self.protected.len());
        for (number, thing) in self.protected.iter().enumerate() {
            let thing = thing.becomes.as_str();
            let start = translation.find(thing).filter(|_| !thing.is_empty())?;
            // Continue at the next character, because it may overlap itself.
            let next = start + translation[start..].chars().next().map_or(1, char::len_utf8);
            if translation[next..].contains(thing) {
                return None;
            }
            places.push((start..start + thing.len(), number));
        }
        places.sort_by_key(|(place, _)| place.start);
        let mut segments = Vec::with_capacity(2 * places.len() + 1);
        let mut end = 0;
        for (place, number) in places {
            segments.push(Segment::Words(translation.get(end..place.start)?.to_owned()));
            segments.push(Segment::Placeholder(number));
            end = place.end;
        }
        segments.push(Segment::Words(translation[end..].to_owned()));
        Some(MaskedText::from_segments(segments))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::fixtures::mask;

    #[test]
    fn a_translation_is_masked_again_if_nothing_is_ambiguous() {
        let mask = mask("We are live with @bob: https://a.example at 9:30");
        let translation = "A las 9:30 en directo con @bob: https://a.example";
        let masked = mask.remask(translation).unwrap();
        assert_eq!(masked.key(), "A las \u{1}2\u{1} en directo con \u{1}0\u{1}: \u{1}1\u{1}");
        assert_eq!(mask.restore(&masked).unwrap(), translation);
    }

    #[test]
    fn a_part_that_is_missing_repeated_or_within_another_is_ambiguous() {
        for (text, translation) in [
            ("Thanks @bob", "Gracias"),
            ("5 of 15", "5 de 15"),
            ("See #a and #ab", "Mira #ab y #a"),
            ("Up 11", "Sube 111"),
        ] {
            assert_eq!(mask(text).remask(translation), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_translation_that_is_masked_again_restores_to_itself(
            text in "([a-z ]{0,3}(@bob|#tag|12|9:30|https://a\\.example/b)? ){0,6}",
            translation in "([a-z ]{0,3}(@bob|#tag|12|9:30|https://a\\.example/b)? ){0,6}",
        ) {
            let mask = mask(&text);
            if let Some(masked) = mask.remask(&translation) {
                prop_assert_eq!(mask.restore(&masked).unwrap(), translation);
            }
            if let Some(masked) = mask.remask(&text) {
                prop_assert_eq!(masked, mask.text);
            }
        }
    }
}
