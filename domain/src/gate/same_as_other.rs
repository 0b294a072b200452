//! A text is not the same in two languages: if it equals the translation for another target, one of them was not
//! translated.

use super::{
    Finding,
    seen::{Seen, Text},
};
use crate::text::lower_case;

/// This few words may be the same in any two languages.
const FEW: usize = 4;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let words = seen.text.words();
    if seen.candidate.others.is_empty() || words.len() <= FEW {
        return None;
    }
    // Nearly every other translation lacks the longest word, and then need not be read. (A Greek sigma has another form at a
    // word's end.)
    let longest = words.iter().filter(|word| !word.contains(['σ', 'ς'])).max_by_key(|word| word.len());
    let may_be_it = |other: &str| longest.is_none_or(|longest| lower_case(other).contains(longest));
    let is_it =
        |other: &String| may_be_it(other) && Text::new(other.into(), seen.candidate.rules).words() == words;
    let same = seen.candidate.others.iter().any(is_it);
    same.then(|| Finding {
        rule: "same_as_other",
        message: "the translation is the same as the one in another language".into(),
    })
}
