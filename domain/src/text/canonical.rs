//! One spelling for what Unicode calls the same text: `é` in one character, and not as an `e` with an accent behind it
//! (NFC). A phone and a keyboard write the two, a reader cannot tell them apart, and an engine by rules knows only the one.
//!
//! It is done to what an engine is *given*, and so to what the cache knows it by; what is protected stays as it stood.
//! Nothing else is evened out: white space, capitals and quotes may be meant.

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
