//! One spelling for what Unicode calls the same text: `é` as one character, and not as an `e` followed by an accent (NFC).
//! Phones and keyboards write either, readers see no difference, and an engine that works by rules knows only the first.
//!
//! Only what an engine is *given* is composed, and so the key of the cache; what is protected stays as it was. Nothing else is
//! normalized: white space, capitals and quotes may be intended.

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::{Mask, Segment};

impl Mask {
    /// The same with its words composed.
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
    fn words_are_composed_and_what_is_protected_stays() {
        let [apart, composed] =
            ["cafe\u{301} #cafe\u{301}", "café #cafe\u{301}"].map(|text| mask(text).composed());
        assert_eq!(apart, composed);
        assert_eq!(apart.restore(&apart.text).unwrap(), "café #cafe\u{301}");
        let plain = mask("  Two  spaces “quoted” ");
        assert_eq!(plain.clone().composed(), plain);
    }
}
