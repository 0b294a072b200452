//! A translation is not empty.

use super::{Finding, seen::Seen};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let empty =
        seen.candidate.parts.is_empty() || seen.candidate.parts.iter().any(|part| part.trim().is_empty());
    empty.then(|| Finding { rule: "not_empty", message: "the translation is empty".into() })
}
