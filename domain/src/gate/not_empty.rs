//! A translation says something.

use super::{Candidate, Finding};

pub(super) fn check(candidate: &Candidate<'_>) -> Option<Finding> {
    let empty = candidate.parts.is_empty() || candidate.parts.iter().any(|part| part.trim().is_empty());
    empty.then(|| Finding { rule: "not_empty", message: "the translation is empty".into() })
}
