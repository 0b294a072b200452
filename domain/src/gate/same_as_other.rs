//! A text is not the same in two languages: if it equals the translation for another target, one of them was not
//! translated.

use super::{
    Finding,
    seen::{Seen, Text},
};

/// This few words may be the same in any two languages.
const FEW: usize = 4;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let is_it = |other: &String| {
        let other = Text::new(other.into(), seen.candidate.rules);
        seen.text.words().len() > FEW && seen.text.words() == other.words()
    };
    let same = seen.candidate.others.iter().any(is_it);
    same.then(|| Finding {
        rule: "same_as_other",
        message: "the translation is the same as the one in another language".into(),
    })
}
