//! Two languages do not say the same: where the text is that of another target, one of them was not translated.

use super::{
    Finding,
    seen::{Seen, words},
};

/// So few words may be the same in any two languages.
const FEW: usize = 4;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let text = words(&seen.text);
    let same = text.len() > FEW && seen.candidate.others.iter().any(|other| words(other) == text);
    same.then(|| Finding {
        rule: "same_as_other",
        message: "the translation is the one of another language".into(),
    })
}
