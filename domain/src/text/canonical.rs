//! Gives text that Unicode considers the same one spelling: `é` as one character, and not as an `e` followed by an
//! accent (NFC). Phones and keyboards write either, readers see no difference, and a rule-based engine knows only the
//! first.
//!
//! Only the text for an engine is composed, and so is the cache key; protected parts stay unchanged. Nothing else is
//! normalized: white space, capitals and quotes may be intended.

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::{Mask, Segment};

impl Mask {
    /// Returns the text with its words composed.
    #[must_use]
    pub fn composed(mut self) -> Self {
        for segment in &mut self.text.0 {
            if let Segment::Words(words) = segment
                && is_nfc_quick(words.chars()) != IsNormalized::Yes
            {
                *words = words.nfc().collect();
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::fixtures::mask;

    #[test]
    fn words_are_composed_and_protected_parts_stay() {
        let [apart, composed] =
            ["cafe\u{301} #cafe\u{301}", "café #cafe\u{301}"].map(|text| mask(text).composed());
        assert_eq!(apart, composed);
        assert_eq!(apart.restore(&apart.text).unwrap(), "café #cafe\u{301}");
        let plain = mask("  Two  spaces “quoted” ");
        assert_eq!(plain.clone().composed(), plain);
    }
}
