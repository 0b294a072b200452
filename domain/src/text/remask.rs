//! From a translation as it was published back to what an engine said: each protected thing is a placeholder again. A cache
//! that was lost is filled so from what is on record.

use std::ops::Range;

use super::{Mask, MaskedText, Segment};

impl Mask {
    /// The masked translation that [`Mask::restore`] made `said` of. `None` where that is not certain: a thing that is not
    /// there, or there twice (the `5` of `5 of 15`), or one within another.
    ///
    /// Where every thing is there exactly once, there is no other: restoring puts each in exactly once.
    pub fn remask(&self, said: &str) -> Option<MaskedText> {
        let mut places: Vec<(Range<usize>, usize)> = Vec::with_capacity(self.protected.len());
        for (number, thing) in self.protected.iter().enumerate() {
            let thing = thing.becomes.as_str();
            let start = said.find(thing).filter(|_| !thing.is_empty())?;
            // From the next byte on, as it may overlap itself.
            let next = start + said[start..].chars().next().map_or(1, char::len_utf8);
            if said[next..].contains(thing) {
                return None;
            }
            places.push((start..start + thing.len(), number));
        }
        places.sort_by_key(|(place, _)| place.start);
        let mut segments = Vec::with_capacity(2 * places.len() + 1);
        let mut end = 0;
        for (place, number) in places {
            segments.push(Segment::Words(said.get(end..place.start)?.to_owned()));
            segments.push(Segment::Placeholder(number));
            end = place.end;
        }
        segments.push(Segment::Words(said[end..].to_owned()));
        Some(MaskedText::from_segments(segments))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::fixtures::mask;

    #[test]
    fn what_was_said_is_masked_again_where_nothing_is_doubtful() {
        let mask = mask("We are live with @bob: https://a.example at 9:30");
        let said = "A las 9:30 en directo con @bob: https://a.example";
        let masked = mask.remask(said).unwrap();
        assert_eq!(masked.key(), "A las \u{1}2\u{1} en directo con \u{1}0\u{1}: \u{1}1\u{1}");
        assert_eq!(mask.restore(&masked).unwrap(), said);
    }

    #[test]
    fn what_is_missing_twice_or_within_another_is_doubtful() {
        for (text, said) in [
            ("Thanks @bob", "Gracias"),
            ("5 of 15", "5 de 15"),
            ("See #a and #ab", "Mira #ab y #a"),
            ("Up 11", "Sube 111"),
        ] {
            assert_eq!(mask(text).remask(said), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_masked_again_restores_to_what_was_said(
            text in "([a-z ]{0,3}(@bob|#tag|12|9:30|https://a\\.example/b)? ){0,6}",
            said in "([a-z ]{0,3}(@bob|#tag|12|9:30|https://a\\.example/b)? ){0,6}",
        ) {
            let mask = mask(&text);
            if let Some(masked) = mask.remask(&said) {
                prop_assert_eq!(mask.restore(&masked).unwrap(), said);
            }
            if let Some(masked) = mask.remask(&text) {
                prop_assert_eq!(masked, mask.text);
            }
        }
    }
}
