//! A translation does not repeat the post, unless nothing in it was translatable.

use super::{Finding, seen::Seen};

/// This few words may all be names.
const FEW: usize = 3;

/// From this many words on, a text that keeps nearly all of them was hardly translated.
const MANY: usize = 8;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let (source, text) = (seen.source.words(), seen.text.words());
    if source.len() < FEW || !seen.candidate.source.text.has_words() {
        return None;
    }
    let hardly = || {
        let mut known: Vec<&str> = source.iter().collect();
        known.sort_unstable();
        // For most translations, two new words are enough to know.
        let mut new = text.iter().filter(|word| known.binary_search(word).is_err());
        new.nth(text.len() / 10).is_none()
    };
    let same = source == text || (text.len() >= MANY && hardly());
    same.then(|| Finding { rule: "untranslated", message: "the translation repeats the post".into() })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn a_repeated_source_is_found_and_names_are_allowed() {
        assert!(codes("The market opens at noon", &["the market opens at NOON"]).contains(&"untranslated"));
        let long = "The market on the old square opens at noon today for all of us";
        assert!(
            codes(long, &["[es] The market on the old square opens at noon today for all of us"])
                .contains(&"untranslated")
        );
        for (source, text) in [
            ("Real Madrid #LaLiga", "Real Madrid #LaLiga"),
            ("OK", "OK"),
            ("See you at no. 4", "Nos vemos en el n.º 4"),
        ] {
            assert!(!codes(source, &[text]).contains(&"untranslated"), "{source}");
        }
    }
}
